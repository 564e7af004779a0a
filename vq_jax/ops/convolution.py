"""Convolutions whose result has twice the height and width of x, phase by phase.

The phase of a pixel of the result is the parity of its row and its column: every 2x2
block has one pixel of each of the four. Each depends on 2x2 pixels of x only.
"""

import functools
from collections.abc import Mapping

import jax
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
    padding "SAME". On CPUs and TPUs the repeated pixels are never made: where taps of
    the kernel meet the same pixel, their sum does, which leaves 4 products of 9. On
    CPUs that is a convolution for each phase, on TPUs one transposed convolution of 4x4
    taps. Values and gradients are the same up to rounding.
    """

    def repeated(x, kernel):
        x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
        return lax.conv_general_dilated(x, kernel, strides, padding, **options)

    return lax.platform_dependent(
        x, kernel, cpu=upsampled_by_phases, tpu=upsampled_at_once, default=repeated
    )


def upsampled_by_phases(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c f"]
) -> Float[Array, "b 2*h 2*w f"]:
    """`convolve_upsampled` as a convolution of 2x2 taps for each phase."""
    merged = {(i, j): _merge(_merge(kernel, i, axis=0), j, axis=1) for i, j in PHASES}
    return convolve_phases(x, merged)


def upsampled_at_once(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c f"]
) -> Float[Array, "b 2*h 2*w f"]:
    """`convolve_upsampled` as one transposed convolution of 4x4 taps."""
    return _transposed(x, _box(kernel))


def _merge(kernel, phase: int, axis: int):
    """Two taps in place of three along `axis`.

    In phase 0 the kernel's last two taps meet one pixel, in phase 1 its first two.
    """
    first, middle, last = jnp.split(kernel, 3, axis=axis)
    pair = (first, middle + last) if phase == 0 else (first + middle, last)
    return jnp.concatenate(pair, axis=axis)


@jax.custom_vjp
def _transposed(
    x: Float[Array, "b h w c"], kernel: Float[Array, "4 4 f c"]
) -> Float[Array, "b 2*h 2*w f"]:
    """The transpose of `_halved` in its first argument.

    It has gradients of its own, since JAX's reverses the whole cotangent to get that of
    the kernel.
    """
    batch, height, width, _ = x.shape
    shape = (batch, 2 * height, 2 * width, kernel.shape[2])
    halved = functools.partial(_halved, kernel=kernel)
    (y,) = jax.linear_transpose(halved, jax.ShapeDtypeStruct(shape, x.dtype))(x)
    return y


def _transposed_forward(x, kernel):
    return _transposed(x, kernel), (x, kernel)


def _transposed_backward(saved, cotangent):
    x, kernel = saved
    of_kernel = functools.partial(_halved, cotangent)
    (kernel_grad,) = jax.linear_transpose(of_kernel, kernel)(x)
    return _halved(cotangent, kernel), kernel_grad


_transposed.defvjp(_transposed_forward, _transposed_backward)


def _halved(
    y: Float[Array, "b h w f"], kernel: Float[Array, "4 4 f c"]
) -> Float[Array, "b h//2 w//2 c"]:
    """A convolution of stride 2."""
    return lax.conv_general_dilated(
        y, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=LAYOUT
    )


def _box(kernel: Float[Array, "3 3 c f"]) -> Float[Array, "4 4 f c"]:
    """What `_transposed` needs to convolve repeated pixels with `kernel`.

    Each pixel of x reaches 4x4 pixels of the result: 3x3 from each of its four copies.
    """
    padded = jnp.pad(kernel.astype(jnp.float32), ((1, 1), (1, 1), (0, 0), (0, 0)))
    rows = padded[1:] + padded[:-1]
    taps = rows[:, 1:] + rows[:, :-1]
    return taps[::-1, ::-1].swapaxes(2, 3).astype(kernel.dtype)
