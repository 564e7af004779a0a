"""Lookup-free quantisation (LFQ): each channel of the latents gives one bit."""

from typing import Annotated

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.quantizers import base
from vq_jax.ops import digits, entropy, estimators


class LookupFreeQuantizer(base.Quantizer):
    """Quantises each channel to its sign (LFQ, MAGVIT-v2 2310.05737).

    z_q = scale · sign(z_e), where sign is + above 0 and - elsewhere. loss =
    commitment_weight · mean (z_e - sg[z_q])² + entropy_weight · (mean H(p) -
    entropy_gamma · H(mean p)), p ∝ exp(2 · inverse_temperature · z_e·code) (eq. 3-5).
    The gradient of `z_q` passes straight through to `z_e`. H(p) is exact; H(mean p) is
    a sum over groups of `entropy_group_bits` bits, exact with one group
    (`ops/entropy.py: bit_entropies`).

    Attributes:
        num_bits: channels of `z_e`; there are 2^num_bits codes, at most 2^24. For more,
            use several heads: quantizer "product".
        scale: absolute value of each channel of a code.
        bit_order: whether the first channel is the least significant bit of an index,
            "little" (MAGVIT-v2 ports, WeTok, MaskBit), or the most significant one,
            "big" (vector-quantize-pytorch, bsq-vit).
        commitment_weight: β, 0.25 in open ports of MAGVIT-v2.
        entropy_weight: weight of the entropy term; 0 does not compute it.
        entropy_gamma: weight of H(mean p) in the entropy term.
        inverse_temperature: 1/τ of p, 100 in most code.
        entropy_group_bits: bits in a group; memory grows as 2^bits.
    """

    num_bits: Annotated[int, ranges.Range(1, 24)] = 10
    scale: ranges.Positive = 1.0
    bit_order: digits.Order = "little"
    commitment_weight: ranges.Weight = 0.25
    entropy_weight: ranges.Weight = 0.1
    entropy_gamma: ranges.Weight = 1.0
    inverse_temperature: ranges.Positive = 100.0
    entropy_group_bits: Annotated[int, ranges.Range(1, 20)] = 9

    @property
    def codebook_size(self) -> int:
        return 2**self.num_bits

    @property
    def input_dim(self) -> int:
        return self.num_bits

    def residual_scale(self, level: int) -> tuple[float, ...]:
        """2^-level: codes of a level are half as large as those of the level before."""
        return (2.0**-level,) * self.num_bits

    def normalised(self, z_e: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        """`z_e` as it is quantised, float32; subclasses may normalise it."""
        return z_e.astype(jnp.float32)

    def code_scale(self) -> float:
        """Absolute value of each channel of a code."""
        return self.scale

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        if z_e.shape[-1] != self.num_bits:
            raise InputError(
                f"z_e has {z_e.shape[-1]} channels but config.model.quantizer.num_bits="
                f"{self.num_bits}; set config.model.latent_dim=0."
            )
        z = self.normalised(z_e)
        bits = (z > 0).astype(jnp.int32)
        indices = digits.to_index(bits, (2,) * self.num_bits, self.bit_order)
        codes = self._codes(bits)
        commitment = jnp.mean((z - lax.stop_gradient(codes)) ** 2)
        penalty, entropies = self._entropy(z.reshape(-1, self.num_bits))
        return base.QuantizerOutput(
            z_q=estimators.straight_through(z, codes).astype(self.dtype),
            indices=indices,
            loss=self.commitment_weight * commitment + penalty,
            metrics={"commitment": commitment, **entropies},
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> base.Latents:
        bits = digits.from_index(indices, (2,) * self.num_bits, self.bit_order)
        return self._codes(bits).astype(self.dtype)

    def _codes(self, bits):
        scale = self.code_scale()
        return jnp.where(bits > 0, scale, -scale)

    def _entropy(self, z):
        if not self.entropy_weight:
            return jnp.zeros(()), {}
        sample, mean = entropy.bit_entropies(
            z, self.code_scale(), self.inverse_temperature, self.entropy_group_bits
        )
        metrics = {"sample_entropy": sample, "codebook_entropy": mean}
        return self.entropy_weight * (sample - self.entropy_gamma * mean), metrics
