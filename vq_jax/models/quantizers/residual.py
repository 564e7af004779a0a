"""Residual quantisation: each level quantises the error of the levels before it."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.composed import RepeatedQuantizer, exact, means
from vq_jax.ops import estimators


class ResidualQuantizer(RepeatedQuantizer):
    """The sum of several codes: each residual level quantises what is left of `z_e`.

    z_q = Σ q_i, where q_i is the code of z_e - Σ_{j<i} q_j (RQ-VAE 2203.01941, eq.
    1-2). The loss is the mean of the levels' losses, which for the commitment is
    RQ-VAE's eq. 3. The gradient of `z_q` passes straight through to `z_e`, once and not
    once a level. Quantizers on fixed grids (FSQ, LFQ, BSQ) have finer grids at later
    levels, see `residual_scale`. After the grid, indices have an axis of levels.

    With probability `level_dropout` a training image keeps only its first n levels, n
    uniform in 1 … num_levels (SoundStream 2107.03312, sec. III-C). Its other indices
    are -1, for which `lookup` adds nothing: so images can be decoded from their first
    levels. All levels learn from all images.

    Attributes:
        inner: the quantizer of one level.
        num_levels: number of residual levels.
        level_dropout: probability that an image loses its last levels.
    """

    num_levels: ranges.Repeats = 4
    level_dropout: ranges.Fraction = 0.0

    AXIS = "levels"

    def setup(self):
        super().setup()
        if self.template.learns_from_z_q or not self.template.hard_in_training:
            raise InputError(
                f"{type(self.template).__name__} learns its codes from the gradient of "
                "z_q, or is soft in training; a residual quantizer's inner family has "
                "to be hard and to learn from its own loss: vq, vq_ema, cvq, simvq, "
                "fsq, lfq or bsq, with estimator straight_through or rotation."
            )

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        z = z_e.astype(jnp.float32)
        residual, by_level = z, []
        for i, level in enumerate(self.copies()):
            scale = self._scale(i)
            out = level(residual / scale, train=train)
            residual = residual - lax.stop_gradient(exact(out.z_q * scale))
            by_level.append(out)
        indices = jnp.stack([out.indices for out in by_level], axis=3)
        if train and self.level_dropout > 0:
            indices = self._drop(indices)
        z_q = estimators.straight_through(z, self._sum(indices))
        return base.QuantizerOutput(z_q.astype(self.dtype), indices, **means(by_level))

    def lookup(self, indices: Int[Array, "b hq wq *l"]) -> base.Latents:
        return self._sum(indices).astype(self.dtype)

    def init_from_data(self, z_e: base.Latents) -> None:
        """Initialises each level from what the levels before it leave of `z_e`."""
        residual = z_e.astype(jnp.float32)
        for i, level in enumerate(self.levels):
            scale = self._scale(i)
            level.init_from_data(residual / scale)
            code = level(residual / scale, train=False).z_q
            residual = residual - exact(code * scale)

    def _sum(self, indices):
        """The sum of the levels' codes; a negative index adds nothing."""
        total = 0.0
        for i, level in enumerate(self.copies()):
            index = indices[:, :, :, i]
            kept = (index >= 0).reshape(*index.shape[:3], -1)[..., :1]
            code = exact(level.lookup(jnp.maximum(index, 0)) * self._scale(i))
            total = total + jnp.where(kept, code, 0.0)
        return total

    def _drop(self, indices):
        """Indices with -1 at the levels that `level_dropout` removes."""
        count_key, drop_key = jax.random.split(self.make_rng("codebook"))
        batch = (indices.shape[0],) + (1,) * (indices.ndim - 1)
        kept = jax.random.randint(count_key, batch, 1, self.num_levels + 1)
        dropped = jax.random.bernoulli(drop_key, self.level_dropout, batch)
        kept = jnp.where(dropped, kept, self.num_levels)
        level = jnp.arange(self.num_levels)
        level = level.reshape(1, 1, 1, -1, *(1,) * (indices.ndim - 4))
        return jnp.where(level < kept, indices, -1)

    def _scale(self, level: int):
        """The inner quantizer's `residual_scale`, to broadcast against latents."""
        scale = jnp.asarray(self.template.residual_scale(level), jnp.float32)
        return scale.reshape(1, 1, 1, -1)
