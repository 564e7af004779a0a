"""Residual quantisation: each level quantises what the levels before it left."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.errors import InputError
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.composed import ComposedQuantizer
from vq_jax.models.quantizers.product import mean_metrics
from vq_jax.ops import estimators


class ResidualQuantizer(ComposedQuantizer):
    """z_q = Σ q_i, q_i the code of z_e - Σ_{j<i} q_j (RQ-VAE 2203.01941, eq. 1-2).

    The loss is the mean over levels of the inner losses, and so for commitment RQ-VAE's
    eq. 3. The gradient of `z_q` passes straight through to `z_e`, once, not once a
    level. Scalar families (FSQ, LFQ, BSQ) work on finer grids at later levels, scaled
    by their `residual_scale`. Indices have a last axis of levels.

    With `level_dropout` a training example keeps its first n levels only, n uniform in
    1 … num_levels, with that probability (SoundStream 2107.03312, sec. III-C). Its
    other indices are -1, which `lookup` takes as nothing; so an image may be decoded
    from its first levels. All levels learn from all examples.

    Attributes:
        inner: the quantizer of a level.
        num_levels: number of levels.
        shared: whether one codebook serves all levels.
        level_dropout: probability, in [0, 1].
    """

    num_levels: int = 4
    shared: bool = False
    level_dropout: float = 0.0

    def setup(self):
        super().setup()
        base.check_range("num_levels", self.num_levels, 1)
        base.check_range("level_dropout", self.level_dropout, 0.0, 1.0)
        if self.template.learns_from_output or not self.template.hard_in_training:
            raise InputError(
                f"{type(self.template).__name__} learns its codes from the gradient of "
                "z_q, or is soft in training; a residual quantizer's inner family has "
                "to be hard and to learn from its own loss: vq, vq_ema, cvq, simvq, "
                "fsq, lfq or bsq, with estimator straight_through or rotation."
            )
        count = 1 if self.shared else self.num_levels
        self.levels = [self.inner.clone() for _ in range(count)]

    @property
    def num_codebooks(self) -> int:
        return self.template.num_codebooks * (1 if self.shared else self.num_levels)

    @property
    def token_axes(self) -> tuple[str, ...]:
        inner = self.template.token_axes
        return (*inner[:2], "levels", *inner[2:])

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        inner = self.template.tokens_shape(height, width)
        return (*inner[:2], self.num_levels, *inner[2:])

    def __call__(
        self, z_e: Float[Array, "b hq wq d"], *, train: bool
    ) -> base.QuantizerOutput:
        z = z_e.astype(jnp.float32)
        residual, outputs = z, []
        for i, level in enumerate(self._levels()):
            scale = self._scale(i)
            out = level(residual / scale, train=train)
            residual = residual - lax.stop_gradient(_scaled(out.z_q, scale))
            outputs.append(out)
        indices = jnp.stack([out.indices for out in outputs], axis=3)
        if train and self.level_dropout > 0:
            indices = self._drop(indices)
        return base.QuantizerOutput(
            z_q=estimators.straight_through(z, self._sum(indices)).astype(self.dtype),
            indices=indices,
            loss=sum(out.loss for out in outputs) / self.num_levels,
            metrics=mean_metrics(outputs),
        )

    def lookup(self, indices: Int[Array, "b hq wq *l"]) -> Float[Array, "b hq wq d"]:
        return self._sum(indices).astype(self.dtype)

    def start(self, z_e: Float[Array, "b hq wq d"]) -> None:
        residual = z_e.astype(jnp.float32)
        for i, level in enumerate(self.levels):
            scale = self._scale(i)
            level.start(residual / scale)
            residual = residual - _scaled(
                level(residual / scale, train=False).z_q, scale
            )

    def update(self) -> None:
        for level in self.levels:
            level.update()

    def _sum(self, indices):
        total = 0.0
        for i, level in enumerate(self._levels()):
            index = indices[:, :, :, i]
            kept = (index >= 0).reshape(*index.shape[:3], -1)[..., :1]
            code = _scaled(level.lookup(jnp.maximum(index, 0)), self._scale(i))
            total = total + jnp.where(kept, code, 0.0)
        return total

    def _drop(self, indices):
        count_key, drop_key = jax.random.split(self.make_rng("codebook"))
        batch = (indices.shape[0],) + (1,) * (indices.ndim - 1)
        kept = jax.random.randint(count_key, batch, 1, self.num_levels + 1)
        dropped = jax.random.bernoulli(drop_key, self.level_dropout, batch)
        kept = jnp.where(dropped, kept, self.num_levels)
        level = jnp.arange(self.num_levels)
        level = level.reshape(1, 1, 1, -1, *(1,) * (indices.ndim - 4))
        return jnp.where(level < kept, indices, -1)

    def _scale(self, level: int):
        scale = jnp.asarray(self.template.residual_scale(level), jnp.float32)
        return scale.reshape(1, 1, 1, -1)

    @nn.nowrap
    def _levels(self):
        return self.levels * self.num_levels if self.shared else self.levels


def _scaled(code, scale):
    # Behind a barrier, or XLA fuses the product into the sum that follows and rounds
    # once instead of twice: then `z_q` and `lookup` differ in their last bit.
    return lax.optimization_barrier(code * scale)
