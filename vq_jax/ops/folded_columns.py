"""Layers of images whose pairs of columns lie side by side, as channels.

The memory of a TPU holds 128 channels side by side, so that maps of 64 take twice their
size. Folded, [b, h, w, c] is [b, h, w / 2, 2 c], which fills it. Folded kernels are
half zeros: their products take as long as before, where half of the matrix unit was
idle.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops.convolution import LAYOUT

LANES = 128
"""Channels that lie side by side in a TPU's memory."""


def fit(width: int, channels: int) -> bool:
    """Whether columns come in pairs, whose channels are no more than `LANES`."""
    return width % 2 == 0 and 2 * channels <= LANES


def fold(x: Float[Array, "b h w c"]) -> Float[Array, "b h w//2 2*c"]:
    """Pairs of columns, each with the channels of the left one first."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height, width // 2, 2 * channels)


def unfold(x: Float[Array, "b h w d"]) -> Float[Array, "b h 2*w d//2"]:
    """Single columns again.

    The compiler for TPUs moves this past a bias and a ReLU to the `fold` of the next
    layer, where both vanish.
    """
    batch, height, width, channels = x.shape
    return x.reshape(batch, height, 2 * width, channels // 2)


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


def max_pool(x: Float[Array, "b h w d"]) -> Float[Array, "b h//2 w c"]:
    """The largest of each 2x2 pixels of what is folded; the result is not.

    Of equal rows the upper one has the gradient, of equal columns the left one. (That
    of `jnp.maximum` would be halved.)
    """
    channels = x.shape[-1] // 2
    rows = (1, 2, 1, 1)
    of_rows = lax.reduce_window(x, -jnp.inf, lax.max, rows, rows, "VALID")
    left, right = of_rows[..., :channels], of_rows[..., channels:]
    return jnp.where((right > left) | jnp.isnan(right), right, left)


def column_sums(
    x: Float[Array, "b h w d"], columns: int
) -> tuple[Float[Array, "b h w 1"], ...]:
    """For each of 1 or 2 columns side by side, the sum over its channels."""
    if columns == 1:
        return (jnp.sum(x, axis=-1, keepdims=True),)
    left = _is_left(x.shape[-1] // 2)
    return tuple(
        jnp.sum(jnp.where(here, x, 0.0), axis=-1, keepdims=True)
        for here in (left, ~left)
    )


def spread(
    values: tuple[Float[Array, "b h w 1"], ...], channels: int
) -> Float[Array, "b h w _"]:
    """Each column's value at all its channels; that of a single one is as it was."""
    if len(values) == 1:
        return values[0]
    return jnp.where(_is_left(channels), *values)


def _is_left(channels):
    return (jnp.arange(2 * channels) < channels).reshape(1, 1, 1, -1)


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
