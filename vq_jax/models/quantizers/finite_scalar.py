"""Finite scalar quantisation (FSQ): each channel is rounded to one of a few values."""

import math
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Int

from vq_jax.config import checks, ranges
from vq_jax.errors import InputError
from vq_jax.models.quantizers import base
from vq_jax.ops import digits, estimators, finite_scalar

Level = Annotated[int, ranges.Range(2, 2**16)]


class FiniteScalarQuantizer(base.Quantizer):
    """Bounds each channel and rounds it to one of L values (FSQ 2309.15505).

    There is no codebook, and no loss. The gradient passes straight through the
    rounding, then through the bound to `z_e`: (L-1)/2 · tanh'(·), over L//2.

    Attributes:
        levels: L of each channel of `z_e`; the paper's choices are (8, 6, 5) for about
            2^8 codes, (8, 5, 5, 5) for 2^10, (7, 5, 5, 5, 5) for 2^12, (8, 8, 8, 6, 5)
            for 2^14 and (8, 8, 8, 5, 5, 5) for 2^16.
        bound: how a channel is bounded, see `ops.finite_scalar.bounded`: "tan" as in
            the paper, "atanh" as in PyTorch ports, "symmetric" with a uniform grid on
            [-1, 1], the one to take for L = 2, or "clip", the same grid without tanh.
        index_order: whether the first channel is the least significant digit of an
            index, "little" as in all public code, or the most significant one, "big".
    """

    levels: Annotated[tuple[Level, ...], ranges.NotEmpty] = (8, 5, 5, 5)
    bound: finite_scalar.Bound = "tan"
    index_order: digits.Order = "little"

    def setup(self):
        super().setup()
        where = "config.model.quantizer.levels (their product)"
        checks.check_range(self.codebook_size, 2, 2**24, where=where)

    @property
    def codebook_size(self) -> int:
        return math.prod(self.levels)

    @property
    def input_dim(self) -> int:
        return len(self.levels)

    def residual_scale(self, level: int) -> tuple[float, ...]:
        """L^-level: a level's grid is about as wide as a step of the level before."""
        return tuple(float(count) ** -level for count in self.levels)

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        if z_e.shape[-1] != len(self.levels):
            raise InputError(
                f"z_e has {z_e.shape[-1]} channels but config.model.quantizer.levels="
                f"{tuple(self.levels)} has {len(self.levels)}; set config.model."
                "latent_dim=0, or give a level a channel."
            )
        position = finite_scalar.bounded(z_e, self.levels, self.bound)
        digit = finite_scalar.to_digits(position, self.levels, self.bound)
        indices = digits.to_index(digit, self.levels, self.index_order)
        z_q = estimators.straight_through(
            finite_scalar.values(position, self.levels, self.bound),
            self._values(digit),
        )
        return base.QuantizerOutput(
            z_q=z_q.astype(self.dtype), indices=indices, loss=jnp.zeros(()), metrics={}
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> base.Latents:
        digit = digits.from_index(indices, self.levels, self.index_order)
        return self._values(digit).astype(self.dtype)

    def _values(self, digit):
        return finite_scalar.values(digit.astype(jnp.float32), self.levels, self.bound)
