"""Peak signal-to-noise ratio."""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

MAX_PSNR = 100.0  # Identical images have it; their ratio would be infinite.


def psnr(
    recon: UInt8[Array, "b h w c"], images: UInt8[Array, "b h w c"]
) -> Float[Array, "b"]:
    """PSNR of each image in dB: 10 log10(255² / mse), mse over all its elements.

    It is at most MAX_PSNR, the value for identical images. Papers report the mean over
    images of this, which is not the PSNR of the mean mse.
    """
    error = recon.astype(jnp.float32) - images.astype(jnp.float32)
    mse = jnp.mean(jnp.square(error), axis=(1, 2, 3)) / 255.0**2
    return -10.0 * jnp.log10(jnp.maximum(mse, 10.0 ** (-MAX_PSNR / 10.0)))
