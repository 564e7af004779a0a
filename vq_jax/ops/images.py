"""Image ranges: uint8 outside, float32 in [-1, 1] inside."""

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


def from_uint8(images: UInt8[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
    """[0, 255] -> float32 in [-1, 1]."""
    return images.astype(jnp.float32) / 127.5 - 1.0


def to_uint8(images: Float[Array, "*b h w c"]) -> UInt8[Array, "*b h w c"]:
    """[-1, 1] -> [0, 255]; clips overshoot and rounds. Inverse of from_uint8."""
    clipped = jnp.clip(images.astype(jnp.float32), -1.0, 1.0)
    return jnp.round(127.5 * (clipped + 1.0)).astype(jnp.uint8)
