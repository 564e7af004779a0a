"""3x3 convolutions by Winograd's algorithm on CPUs: fewer products, the same result.

A tile of 2x2 pixels of the result depends on 4x4 pixels of x. Both, and the kernel, are
transformed so that a tile takes one product for each of 16 numbers, where 9 taps at 4
pixels are 36 (Lavin and Gray, 1509.09308, F(2x2, 3x3)). The transforms are sums and
differences, and halves of the kernel's, so float32 loses next to nothing.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops.convolution import LAYOUT

MIN_CHANNELS = 64
MIN_TILES = 128
"""With fewer, the transforms take longer than the products that they save."""

GROUP = 2**16
"""Tiles times channels of images that are computed at a time, for the cache's sake."""

LARGEST = 2**20
"""Of one image: 64 MiB of numbers for its tiles, and as many products."""


def convolve(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "k k _ f"],
    strides: tuple[int, int],
    padding,
    **options,
) -> Float[Array, "_ h2 w2 f"]:
    """`lax.conv_general_dilated`; on CPUs by tiles, where that saves time.

    For `flax.linen.Conv(conv_general_dilated=convolve)`. Tiles are for 3x3 taps in the
    layout `LAYOUT`, without strides, dilations or groups, padding "SAME", float32, even
    heights and widths, `MIN_CHANNELS` of x and of the result, `MIN_TILES`, and images
    up to `LARGEST`. Values and gradients are the same up to rounding. Where there are
    tiles on CPUs, there is no forward differentiation (`jax.jvp`) on any platform.
    """

    def plain(x, kernel):
        return lax.conv_general_dilated(x, kernel, strides, padding, **options)

    if not (_is_simple(x, kernel, strides, padding, **options) and _is_wide(x, kernel)):
        return plain(x, kernel)
    return lax.platform_dependent(x, kernel, cpu=convolve_by_tiles, default=plain)


def _is_simple(x, kernel, strides, padding, **options) -> bool:
    """Whether `convolve_by_tiles` computes it."""
    layouts = [
        lax.conv_dimension_numbers(x.shape, kernel.shape, layout)
        for layout in (options.get("dimension_numbers"), LAYOUT)
    ]
    dilations = [options.get(f"{side}_dilation") or () for side in ("lhs", "rhs")]
    return (
        layouts[0] == layouts[1]
        and kernel.shape[:3] == (3, 3, x.shape[3])
        and {*strides, *dilations[0], *dilations[1]} == {1}
        and options.get("batch_group_count", 1) == 1
        and padding == "SAME"
        and x.dtype == kernel.dtype == jnp.float32
        and x.shape[1] % 2 == x.shape[2] % 2 == 0
    )


def _is_wide(x, kernel) -> bool:
    """Whether tiles save more time than their transforms take."""
    tiles, channels = x.shape[1] * x.shape[2] // 4, kernel.shape[2:]
    return (
        min(channels) >= MIN_CHANNELS
        and x.shape[0] * tiles >= MIN_TILES
        and tiles * max(channels) <= LARGEST
    )


@jax.custom_vjp
def convolve_by_tiles(
    x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c f"]
) -> Float[Array, "b h w f"]:
    """A 3x3 convolution of stride 1, with zeros around images of even sizes.

    The gradient of x is one of these, too, with the kernel mirrored; that of the kernel
    is XLA's own, which tiles would not make faster.
    """
    of_kernel = _transform_kernel(kernel)

    def of_group(x):
        products = jnp.einsum("ntc,ncf->ntf", _transform_pixels(x), of_kernel)
        return _to_result(products, x.shape)

    devices, size = _group_sizes(x.shape, max(kernel.shape[2:]))
    # A group has images of each device, so that none needs those of another.
    groups = x.reshape(devices, -1, size, *x.shape[1:]).swapaxes(0, 1)
    groups = groups.reshape(-1, devices * size, *x.shape[1:])
    y = _map(of_group, groups, in_place=kernel.shape[2] == kernel.shape[3])
    y = y.reshape(-1, devices, size, *y.shape[2:]).swapaxes(0, 1)
    return y.reshape(*x.shape[:3], -1)


def _forward(x, kernel):
    return convolve_by_tiles(x, kernel), (x, kernel)


def _backward(saved, cotangent):
    x, kernel = saved
    mirrored = kernel[::-1, ::-1].swapaxes(2, 3)

    def of_kernel(kernel):
        return lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT
        )

    (kernel_grad,) = jax.linear_transpose(of_kernel, kernel)(cotangent)
    return convolve_by_tiles(cotangent, mirrored), kernel_grad


convolve_by_tiles.defvjp(_forward, _backward)


def _map(function: Callable, groups: Float[Array, "g n h w c"], *, in_place: bool):
    """`lax.map`; where a result has its group's shape, without another array for it."""
    if not in_place:
        return lax.map(function, groups)

    def replace(index, groups):
        group = lax.dynamic_index_in_dim(groups, index, keepdims=False)
        return lax.dynamic_update_index_in_dim(groups, function(group), index, 0)

    return lax.fori_loop(0, len(groups), replace, groups)


def _group_sizes(shape: tuple[int, ...], channels: int) -> tuple[int, int]:
    """Devices, and how many images of each are computed at a time."""
    batch, height, width, _ = shape
    devices = math.gcd(batch, jax.device_count())
    images = batch // devices
    most = GROUP // (height * width // 4 * channels)
    fitting = (n for n in range(1, most + 1) if images % n == 0)
    return devices, max(fitting, default=1)


def _transform_pixels(x: Float[Array, "b h w c"]) -> Float[Array, "16 t c"]:
    """Bᵀ d B of the 4x4 pixels d around each of t tiles, by column and row."""

    def along(x, axis):
        stop = x.shape[axis] - 3
        first, second, third, fourth = (
            lax.slice_in_dim(x, i, i + stop, 2, axis) for i in range(4)
        )
        return jnp.stack(
            [first - third, second + third, third - second, second - fourth]
        )

    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return along(along(x, 1), 3).reshape(16, -1, x.shape[-1])


def _transform_kernel(kernel: Float[Array, "3 3 c f"]) -> Float[Array, "16 c f"]:
    """G k Gᵀ of the kernel k, by column and row."""

    def along(kernel, axis):
        first, second, third = jnp.moveaxis(kernel, axis, 0)
        outer, middle = (first + third) / 2, second / 2
        return jnp.stack([first, outer + middle, outer - middle, third])

    return along(along(kernel, 0), 1).reshape(16, *kernel.shape[2:])


def _to_result(products: Float[Array, "16 t f"], shape) -> Float[Array, "b h w f"]:
    """Aᵀ m A of the 4x4 products m of each tile: its 2x2 pixels."""
    batch, height, width, _ = shape

    def along(first, second, third, fourth):
        return first + second + third, second - third - fourth

    columns = along(*products.reshape(4, 4, batch, height // 2, width // 2, -1))
    rows = zip(*(along(*column) for column in columns), strict=True)
    pixels = jnp.stack([jnp.stack(row, axis=3) for row in rows], axis=2)
    return pixels.reshape(batch, height, width, -1)
