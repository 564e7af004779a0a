"""Convolutions whose result has twice the height and width of x, phase by phase.

The phase of a pixel of the result is the parity of its row and its column: every 2x2
block has one pixel of each of the four. Each depends on 2x2 pixels of x only.
"""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

LAYOUT = ("NHWC", "HWIO", "NHWC")
PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))


def convolve_phases(
    x: Float[Array, "b h w c"],
    kernels: Mapping[tuple[int, int], Float[Array, "2 2 c f"]],
) -> Float[Array, "b 2*h 2*w f"]:
    """A convolution of 2x2 taps for each phase, and the pixels in their order.

    A pixel of phase (i, j) within the block of pixel (h, w) of x depends on rows
    h + i - 1 and h + i and columns w + j - 1 and w + j of x, which is 0 beyond its
    border.

    Args:
        kernels: of each of PHASES.
    """
    batch, height, width, _ = x.shape
    pixels = [
        # Not one convolution to a larger grid: its gradient is slow on CPUs.
        lax.conv_general_dilated(
            x,
            kernels[i, j],
            (1, 1),
            ((1 - i, i), (1 - j, j)),
            dimension_numbers=LAYOUT,
        )
        for i, j in PHASES
    ]
    blocks = jnp.stack(pixels, axis=3).reshape(batch, height, width, 2, 2, -1)
    return blocks.swapaxes(2, 3).reshape(batch, 2 * height, 2 * width, -1)


def convolve_upsampled(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "3 3 c f"],
    strides: tuple[int, int],
    padding: str,
    **options,
) -> Float[Array, "b 2*h 2*w f"]:
    """A 3x3 convolution of x with each pixel repeated 2x2 times: VQGAN's upsampling.

    For `flax.linen.Conv(conv_general_dilated=convolve_upsampled)` with stride 1 and
    padding "SAME". On CPUs the repeated pixels are never made: where two taps of the
    kernel meet the same pixel, their sum does, which leaves 4 products of 9. Values and
    gradients are the same up to rounding.
    """

    def repeated(x, kernel):
        x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
        return lax.conv_general_dilated(x, kernel, strides, padding, **options)

    def by_phases(x, kernel):
        merged = {
            (i, j): _merge(_merge(kernel, i, axis=0), j, axis=1) for i, j in PHASES
        }
        return convolve_phases(x, merged)

    return lax.platform_dependent(x, kernel, cpu=by_phases, default=repeated)


def _merge(kernel, phase: int, axis: int):
    """Two taps in place of three along `axis`.

    In phase 0 the kernel's last two taps meet one pixel, in phase 1 its first two.
    """
    first, middle, last = jnp.split(kernel, 3, axis=axis)
    pair = (first, middle + last) if phase == 0 else (first + middle, last)
    return jnp.concatenate(pair, axis=axis)
