"""Peak signal-to-noise ratio."""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

MAX_PSNR = 100.0  # Of identical images, whose ratio would be infinite.


def psnr(
    recon: UInt8[Array, "b h w c"], images: UInt8[Array, "b h w c"]
) -> Float[Array, "b"]:
    """10 log10(255^2 / mse) of each image in dB, mse over all its elements.

    At most MAX_PSNR, which identical images get. A mean over images of this is what
    papers report; it is not the PSNR of the mean mse.
    """
    error = recon.astype(jnp.float32) - images.astype(jnp.float32)
    mse = jnp.mean(jnp.square(error), axis=(1, 2, 3)) / 255.0**2
    return -10.0 * jnp.log10(jnp.maximum(mse, 10.0 ** (-MAX_PSNR / 10.0)))
