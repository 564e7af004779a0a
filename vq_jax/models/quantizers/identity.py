"""No quantisation: the baseline with continuous latents."""

import jax.numpy as jnp
from jaxtyping import Array, Int

from vq_jax.errors import InputError
from vq_jax.models.quantizers import base


class IdentityQuantizer(base.Quantizer):
    """Returns `z_e` unchanged, for an autoencoder, or with a Gaussian head for a VAE.

    There are no codes: `codebook_size` is 0, indices are zeros without meaning, usage
    and bit rate are not defined, and `lookup` is an error.
    """

    codebook_size = 0

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        return base.QuantizerOutput(
            z_q=z_e.astype(self.dtype),
            indices=jnp.zeros(z_e.shape[:-1], jnp.int32),
            loss=jnp.zeros(()),
            metrics={},
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> base.Latents:
        """Raises InputError, since there are no codes."""
        raise InputError(
            "quantizer 'none' has no codes to look up; use reconstruct, or train with "
            "a quantizer that has a codebook."
        )
