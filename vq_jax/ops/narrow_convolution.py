"""Convolutions to the few channels of an image, by blocks of pixels."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops.convolution import LAYOUT

BLOCK = 4


def convolve_to_few(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "k k c f"],
    strides: tuple[int, int],
    padding: str,
    **options,
) -> Float[Array, "b h w f"]:
    """`lax.conv_general_dilated`; on TPUs by blocks, where they divide the image.

    For `flax.linen.Conv(conv_general_dilated=convolve_to_few)` with stride 1, padding
    "SAME" and kernels of odd size. Values and gradients are the same up to rounding.
    """

    def plain(x, kernel):
        return lax.conv_general_dilated(x, kernel, strides, padding, **options)

    if x.shape[1] % BLOCK or x.shape[2] % BLOCK:
        return plain(x, kernel)
    return lax.platform_dependent(x, kernel, tpu=convolve_by_blocks, default=plain)


def convolve_by_blocks(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c f"]
) -> Float[Array, "b h w f"]:
    """A convolution of which the pixels of a 4x4 block are 16 f channels.

    The matrix unit of a TPU computes 128 channels at a time. A pixel of an image has 3,
    after k² taps; a block has 48, after (k + 3)² taps for its 16 pixels: for k = 3, a
    quarter of the work.
    """
    batch, height, width, _ = x.shape
    edge = kernel.shape[0] // 2
    blocks = lax.conv_general_dilated(
        x,
        _of_block(kernel),
        (BLOCK, BLOCK),
        ((edge, edge), (edge, edge)),
        dimension_numbers=LAYOUT,
    )
    shape = (batch, height // BLOCK, width // BLOCK, BLOCK, BLOCK, kernel.shape[-1])
    return blocks.reshape(shape).swapaxes(2, 3).reshape(batch, height, width, -1)


def _of_block(kernel):
    """The kernel at each pixel of a block, all of them side by side as channels."""
    rest = BLOCK - 1
    shifted = [
        jnp.pad(kernel, ((i, rest - i), (j, rest - j), (0, 0), (0, 0)))
        for i in range(BLOCK)
        for j in range(BLOCK)
    ]
    return jnp.concatenate(shifted, axis=-1)
