"""Binary spherical quantisation (BSQ): each channel of a unit vector gives one bit."""

from jaxtyping import Array, Float

from vq_jax.errors import InputError
from vq_jax.models.quantizers.lookup_free import LookupFreeQuantizer
from vq_jax.ops import digits, vectors


class BinarySphericalQuantizer(LookupFreeQuantizer):
    """Quantises unit(z_e) to the signs of its channels (BSQ 2406.07548, eq. 5-9).

    z_q = sign(z_e) / √num_bits, codes of length 1. It is `LookupFreeQuantizer` with
    unit(z_e) in place of z_e everywhere: gradients pass straight through to unit(z_e),
    and then through the normalisation. `scale` has to be 1.
    """

    bit_order: digits.Order = "big"

    def setup(self):
        super().setup()
        if self.scale != 1.0:
            raise InputError(
                f"config.model.quantizer.scale={self.scale} must be 1 for 'bsq': its "
                "codes have length 1."
            )

    def normalised(self, z_e: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        return vectors.unit(z_e)

    def code_scale(self) -> float:
        return self.num_bits**-0.5
