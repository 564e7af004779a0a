"""Multi-scale residual quantisation, from coarse to fine grids: VAR's tokenizer."""

from typing import Annotated

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.composed import ComposedQuantizer, exact
from vq_jax.ops import estimators, resample


class MultiScaleQuantizer(ComposedQuantizer):
    """Quantises residuals on grids of growing size, with one codebook (VAR 2404.02905).

    The sum f̂ of all scales approximates `z_e` (alg. 1). At each scale s the residual
    z_e - f̂ is averaged down to s x s and quantised; its codes are enlarged to the full
    grid (bicubic), passed through φ, and added to f̂. φ(h) = (1 - refine_ratio) h +
    refine_ratio · conv3x3(h), where each scale uses one of `num_refiners` convolutions.

    loss = mean over scales of commitment_weight · mean (z_e - sg[f̂])² + codebook_weight
    · mean (f̂ - sg[z_e])²; the second trains φ, and the codes where they are parameters.
    The inner quantizer's own loss and penalties are left out, and an EMA codebook
    learns from the averaged residuals. The gradient of `z_q` passes straight through to
    `z_e`.

    Indices are [b, Σ s²], from the coarsest grid to the finest, each row by row.

    Attributes:
        inner: a quantizer with a codebook: vq, vq_ema, cvq or simvq; its restarts take
            vectors of the last scale.
        scales: sides of the square grids; the last is that of the latents.
        num_refiners: number of convolutions of φ, 4 in VAR; 0 leaves φ out.
        refine_ratio: share of the convolution in φ, 0.5 in VAR.
        commitment_weight: β, 0.25 in VAR.
        codebook_weight: 1 in VAR.
    """

    scales: Annotated[tuple[ranges.Count, ...], ranges.NotEmpty] = (1, 2, 4, 8, 16)
    num_refiners: ranges.Depth = 4
    refine_ratio: ranges.Fraction = 0.5
    commitment_weight: ranges.Weight = 0.25
    codebook_weight: ranges.Weight = 1.0

    def setup(self):
        super().setup()
        if self.template.token_axes != ("hq", "wq") or self.learns_from_z_q:
            raise InputError(
                "config.model.quantizer.inner: multi_scale needs one code a "
                "position and codes that learn from their own loss: vq, vq_ema, cvq or "
                f"simvq, not {type(self.template).__name__}."
            )
        if list(self.scales) != sorted(set(self.scales)):
            raise InputError(
                f"config.model.quantizer.scales={tuple(self.scales)} must grow, from 1 "
                "or more to the side of the latent grid."
            )
        self.codebook = self.inner.clone()
        self.refiners = [
            nn.Conv(self.template.input_dim, (3, 3), dtype="float32")
            for _ in range(self.num_refiners)
        ]

    @property
    def token_axes(self) -> tuple[str, ...]:
        return ("tokens",)

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        side = self.scales[-1]
        if (height, width) != (side, side):
            raise InputError(
                f"the latent grid is {height}x{width} but config.model.quantizer."
                f"scales={tuple(self.scales)} ends at {side}; set its last entry, or "
                f"the image size, so that both are {side}x{side}."
            )
        return (sum(scale**2 for scale in self.scales),)

    def token_grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        self.tokens_shape(height, width)
        return tuple((scale, scale) for scale in self.scales)

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        self.tokens_shape(*z_e.shape[1:3])
        z = z_e.astype(jnp.float32)
        fixed_z = lax.stop_gradient(z)
        total, loss, by_scale = jnp.zeros_like(z), 0.0, []
        for i, scale in enumerate(self.scales):
            down = resample.area_matrix(scale, self.scales[-1])
            residual = _resized(fixed_z - lax.stop_gradient(total), down)
            out = self.codebook(residual, train=train)
            total = total + self._enlarged(out.indices, i)
            commitment = jnp.mean((z - lax.stop_gradient(total)) ** 2)
            loss += self.commitment_weight * commitment
            loss += self.codebook_weight * jnp.mean((total - fixed_z) ** 2)
            by_scale.append(out)
        indices = [out.indices.reshape(len(z), -1) for out in by_scale]
        return base.QuantizerOutput(
            z_q=estimators.straight_through(z, total).astype(self.dtype),
            indices=jnp.concatenate(indices, axis=1),
            loss=loss / len(self.scales),
            metrics={"commitment": commitment},  # after the last scale
        )

    def lookup(self, indices: Int[Array, "b t"]) -> base.Latents:
        count = sum(scale**2 for scale in self.scales)
        if indices.shape[1] != count:
            raise InputError(
                f"indices have {indices.shape[1]} tokens an image but scales="
                f"{tuple(self.scales)} need {count}; were they made by another model?"
            )
        return self._running_sums(indices)[-1].astype(self.dtype)

    def prior_inputs(self, indices: Int[Array, "b t"]) -> Float[Array, "b n d"]:
        """What a prior of the next scale sees: f̂ of all coarser scales (VAR, alg. 2).

        float32, averaged down to the grid that is predicted: those of all scales but
        the first, one after the other, each row by row.
        """
        sums = [self.empty_sum(len(indices)), *self._running_sums(indices)[:-1]]
        inputs = [self.prior_inputs_of(total, i) for i, total in enumerate(sums)]
        return jnp.concatenate(inputs, axis=1)

    def empty_sum(self, batch_size: int) -> base.Latents:
        """f̂ before the first scale: zeros, float32."""
        side = self.scales[-1]
        return jnp.zeros((batch_size, side, side, self.input_dim), jnp.float32)

    def add_scale(
        self, total: base.Latents, indices: Int[Array, "b n"], number: int
    ) -> base.Latents:
        """f̂ with the codes of scale `number`, which come row by row."""
        scale = self.scales[number]
        return total + self._enlarged(indices.reshape(-1, scale, scale), number)

    def prior_inputs_of(
        self, total: base.Latents, number: int
    ) -> Float[Array, "b n d"]:
        """`prior_inputs` of scale `number`, from f̂ of all coarser ones."""
        if number == 0:
            return jnp.zeros((len(total), 0, total.shape[-1]), jnp.float32)
        down = resample.area_matrix(self.scales[number], self.scales[-1])
        return _resized(total, down).reshape(len(total), -1, total.shape[-1])

    def _running_sums(self, indices):
        """f̂ after each scale."""
        total, sums = self.empty_sum(len(indices)), []
        ends = np.cumsum([scale**2 for scale in self.scales])[:-1]
        for number, part in enumerate(jnp.split(indices, ends, axis=1)):
            total = self.add_scale(total, part, number)
            sums.append(total)
        return sums

    def init_from_data(self, z_e: base.Latents) -> None:
        self.codebook.init_from_data(z_e)

    def update(self) -> None:
        self.codebook.update()

    def _enlarged(self, indices, number: int):
        """φ of the codes of scale `number`, enlarged to the full grid."""
        scale, side = self.scales[number], self.scales[-1]
        codes = exact(self.codebook.lookup(indices))
        if scale != side:
            codes = _resized(codes, resample.bicubic_matrix(side, scale))
        if self.refiners:
            chosen = refiner_of(number, len(self.scales), len(self.refiners))
            refined = self.refiners[chosen](codes)
            codes = exact((1 - self.refine_ratio) * codes) + exact(
                self.refine_ratio * exact(refined)
            )
        return exact(codes)


def refiner_of(scale: int, num_scales: int, num_refiners: int) -> int:
    """Number of the convolution that scale number `scale` uses, as in VAR's code.

    The scales and the convolutions are spaced evenly on [0, 1], the latter with a
    margin at both ends; each scale uses the nearest convolution.
    """
    margin = 1 / (3 if num_refiners == 4 else 2) / num_refiners
    ticks = np.linspace(margin, 1 - margin, num_refiners)
    position = scale / (num_scales - 1) if num_scales > 1 else 0.0
    return int(np.argmin(np.abs(ticks - position)))


def _resized(grid, matrix):
    rows = jnp.einsum("ih,bhwd->biwd", matrix, grid, precision=lax.Precision.HIGHEST)
    rows = exact(rows)
    grid = jnp.einsum("jw,biwd->bijd", matrix, rows, precision=lax.Precision.HIGHEST)
    return exact(grid)
