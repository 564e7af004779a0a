"""Layers of images whose pairs of columns lie side by side, as channels.

The matrix unit of a TPU computes 128 channels at a time, and its memory holds as many
side by side. Layers of 64 waste half of both. Folded, [b, h, w, c] is
[b, h, w / 2, 2 c], and they waste neither.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops.convolution import LAYOUT


def fold(x: Float[Array, "b h w c"]) -> Float[Array, "b h w//2 2*c"]:
    """Pairs of columns, each with the channels of the left one first."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height, width // 2, 2 * channels)


def convolve(
    x: Float[Array, "b h w d"], kernel: Float[Array, "3 3 c f"]
) -> Float[Array, "b h w e"]:
    """The folded result of a 3x3 convolution, with zeros around the image.

    Args:
        x: folded; d is 2 c, and e is 2 f.
    """
    return lax.conv_general_dilated(
        x, _fold_kernel(kernel), (1, 1), "SAME", dimension_numbers=LAYOUT
    )


def blur_pool(x: Float[Array, "b h w d"]) -> Float[Array, "b h//2 w c"]:
    """`models/layers/blur.py: blur_pool` of what is folded; the result is not."""
    channels = x.shape[-1] // 2
    taps = jnp.asarray([1.0, 3.0, 3.0, 1.0]) / 8.0
    # Column w of the result has taps on columns 2 w - 1 to 2 w + 2: on the right one of
    # pair w - 1, on both of pair w, and on the left one of pair w + 1.
    of_pairs = jnp.pad(taps, (1, 1)).reshape(3, 2)
    kernel = jnp.einsum("i,jp,ab->ijpab", taps, of_pairs, jnp.eye(channels))
    return lax.conv_general_dilated(
        x,
        kernel.reshape(4, 3, 2 * channels, channels).astype(x.dtype),
        (2, 1),
        ((1, 1), (1, 1)),
        dimension_numbers=LAYOUT,
    )


def _fold_kernel(kernel):
    """Taps on three pairs of columns, for each column of a pair of the result."""
    rows, _, channels, features = kernel.shape
    # Taps of the left column begin one column after the left one of the first pair.
    of_columns = [
        jnp.pad(kernel, ((0, 0), (1 + right, 2 - right), (0, 0), (0, 0)))
        for right in (0, 1)
    ]
    folded = jnp.stack(of_columns, axis=3)
    return folded.reshape(rows, 3, 2 * channels, 2 * features)
