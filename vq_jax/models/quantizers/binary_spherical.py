"""Binary spherical quantisation: signs of a vector of length 1."""

from jaxtyping import Array, Float

from vq_jax.errors import InputError
from vq_jax.models.quantizers.lookup_free import LookupFreeQuantizer
from vq_jax.ops import digits, vectors


class BinarySphericalQuantizer(LookupFreeQuantizer):
    """Signs of unit(z_e), codes ±1/√num_bits of length 1 (BSQ 2406.07548, eq. 5-9).

    As `LookupFreeQuantizer`, with unit(z_e) in place of z_e everywhere: gradients pass
    straight through to it, and on through the normalisation. `scale` has to stay 1.
    """

    bit_order: digits.Order = "big"

    def setup(self):
        super().setup()
        if self.scale != 1.0:
            raise InputError(
                f"config.model.quantizer.scale={self.scale} must be 1 for 'bsq': its "
                "codes have length 1."
            )

    def bounded(self, z_e: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        return vectors.unit(z_e)

    def code_scale(self) -> float:
        return self.num_bits**-0.5
