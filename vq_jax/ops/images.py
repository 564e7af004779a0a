"""Conversion of images between uint8, as in files, and float32 in [-1, 1]."""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


def from_uint8(images: UInt8[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
    """Converts uint8 images, in [0, 255], to float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(images: Float[Array, "*b h w c"]) -> UInt8[Array, "*b h w c"]:
    """Converts images in [-1, 1] to uint8: clipped, then rounded.

    The inverse of `from_uint8`.
    """
    clipped = jnp.clip(images.astype(jnp.float32), -1.0, 1.0)
    return jnp.round(127.5 * (clipped + 1.0)).astype(jnp.uint8)
