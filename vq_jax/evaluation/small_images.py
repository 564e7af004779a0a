"""Images as small as evaluations of small data sets look at them."""

import jax
from jaxtyping import Array, Float, UInt8

from vq_jax.ops import images as image_ops

MAX_SIDE = 32


def shrunk(images: UInt8[Array, "b h w c"]) -> Float[Array, "b _ _ c"]:
    """Images in [-1, 1]; a side of more than 32 pixels is scaled to 32, antialiased."""
    x = image_ops.from_uint8(images)
    count, height, width, channels = x.shape
    size = (count, min(height, MAX_SIDE), min(width, MAX_SIDE), channels)
    return x if size == x.shape else jax.image.resize(x, size, "bilinear")
