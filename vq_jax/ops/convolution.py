"""Convolutions that are also fast on CPUs: kernel gradients, and after upsampling."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

BLOCK = 1_024
"""Most output positions in a block of the kernel gradient; a block has one row of the
batch at least."""

PLAIN = {
    "lhs_dilation": (1, 1),
    "rhs_dilation": (1, 1),
    "feature_group_count": 1,
    "batch_group_count": 1,
}
"""The values of these options of `lax.conv_general_dilated` in a plain convolution."""

LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "_ _ _ _"],
    strides: tuple[int, int],
    padding,
    *,
    dimension_numbers=LAYOUT,
    **options,
) -> Float[Array, "b h2 w2 _"]:
    """A convolution, as `flax.linen.Conv(conv_general_dilated=convolve)` calls it.

    Value and gradients are those of `lax.conv_general_dilated` up to rounding. On CPUs
    XLA computes the gradient of the kernel many times slower than the other two passes,
    and the more so the larger the image (benchmarks/convolution.py). There
    `kernel_grad` computes it for plain convolutions: kernels HWIO, no dilation, no
    groups. These have no forward-mode derivative. Other devices use XLA's gradient.

    Args:
        padding: "SAME", "VALID", or (before, after) for height and width.
        options: further options of `lax.conv_general_dilated`.
    """
    plain = functools.partial(
        lax.conv_general_dilated,
        window_strides=strides,
        padding=padding,
        dimension_numbers=dimension_numbers,
        **options,
    )
    layouts = [
        lax.conv_dimension_numbers(x.shape, kernel.shape, numbers)
        for numbers in (dimension_numbers, LAYOUT)
    ]
    if layouts[0] != layouts[1] or not _is_plain(options):
        return plain(x, kernel)
    pads = padding
    if isinstance(padding, str):
        pads = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    return _with_kernel_grad(plain, strides, pads)(x, kernel)


def convolve_upsampled(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "3 3 c f"],
    strides: tuple[int, int],
    padding: str,
    **options,
) -> Float[Array, "b 2*h 2*w f"]:
    """`convolve` of x with each pixel repeated 2x2 times: VQGAN's upsampling.

    Only for 3x3 kernels of stride 1 and padding "SAME". On CPUs the repeated pixels are
    never made: where two taps of the kernel meet the same pixel, their sum does. Each
    pixel of a 2x2 block then has a kernel of 2x2 taps, 4 products where there were 9.
    """
    repeated = functools.partial(_convolve_repeated, strides, padding, options)
    return lax.platform_dependent(x, kernel, cpu=_convolve_phases, default=repeated)


def kernel_grad(
    x: Float[Array, "b h w c"],
    cotangent: Float[Array, "b h2 w2 f"],
    *,
    size: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    pads,
) -> Float[Array, "kh kw c f"]:
    """Gradient with respect to the kernel of a convolution.

    It is a sum over blocks of rows of the result. Each block is the product of the
    cotangents [f, positions] with a matrix of patches [positions, kh · kw · c], and
    small enough for the processor's cache, if one row of the whole batch is. Sums are
    float32.

    Args:
        cotangent: gradient of the loss with respect to the convolution's result.
        size: height and width of the kernel.
        pads: (before, after) for height and width.
    """
    batch, height, width, channels = cotangent.shape
    rows = _rows_of_block(height, batch * width)
    # Not jnp.pad: the pads of a convolution may be negative.
    edges = [(0, 0, 0), *((*pad, 0) for pad in pads), (0, 0, 0)]
    padded = lax.pad(x, jnp.zeros((), x.dtype), edges)
    high, wide = (rows - 1) * strides[0] + 1, (width - 1) * strides[1] + 1

    def add_block(total, start):
        first = start * strides[0]
        slab = lax.dynamic_slice_in_dim(padded, first, high + size[0] - 1, axis=1)
        patches = jnp.concatenate(
            [
                slab[:, i : i + high : strides[0], j : j + wide : strides[1]]
                for i in range(size[0])
                for j in range(size[1])
            ],
            axis=-1,
        )
        block = lax.dynamic_slice_in_dim(cotangent, start, rows, axis=1)
        # As matrices, and the wider one last: XLA would transpose the patches.
        product = lax.dot_general(
            block.reshape(-1, channels),
            patches.reshape(-1, patches.shape[-1]),
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )
        return total + product, None

    zeros = jnp.zeros((channels, size[0] * size[1] * x.shape[-1]), jnp.float32)
    total, _ = lax.scan(add_block, zeros, jnp.arange(0, height, rows))
    return total.T.reshape(*size, x.shape[-1], channels)


def _convolve_repeated(strides, padding, options, x, kernel):
    x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
    return convolve(x, kernel, strides, padding, **options)


def _convolve_phases(x, kernel):
    """One convolution of 2x2 taps for the four pixels of each block, and their order.

    An output pixel at an even row sees the pixel above its own by the first of the
    kernel's rows, and its own by the other two; one at an odd row its own by the first
    two, and the pixel below by the last. Columns likewise.
    """
    batch, height, width, _ = x.shape
    phases = [(i, j) for i in range(2) for j in range(2)]
    merged = jnp.concatenate(
        [_merge(_merge(kernel, i, axis=0), j, axis=1) for i, j in phases], axis=-1
    )
    around = convolve(x, merged, (1, 1), ((1, 1), (1, 1)))
    parts = jnp.split(around, 4, axis=-1)
    blocks = jnp.stack(
        [
            part[:, i : i + height, j : j + width]
            for part, (i, j) in zip(parts, phases, strict=True)
        ],
        axis=3,
    )
    blocks = blocks.reshape(batch, height, width, 2, 2, -1)
    return blocks.swapaxes(2, 3).reshape(batch, 2 * height, 2 * width, -1)


def _merge(kernel, phase: int, axis: int):
    """Two taps in place of three along `axis`: those of one pixel are added."""
    first, middle, last = jnp.split(kernel, 3, axis=axis)
    pair = (first, middle + last) if phase == 0 else (first + middle, last)
    return jnp.concatenate(pair, axis=axis)


def _with_kernel_grad(plain, strides, pads):
    """The convolution `plain`, (x, kernel) -> y, with `kernel_grad` on CPUs."""

    @jax.custom_vjp
    def conv(x, kernel):
        return plain(x, kernel)

    def forward(x, kernel):
        return plain(x, kernel), (x, kernel)

    def backward(saved, cotangent):
        x, kernel = saved
        (x_grad,) = jax.linear_transpose(lambda x: plain(x, kernel), x)(cotangent)

        def cpu_kernel_grad(x, cotangent):
            grad = kernel_grad(
                x, cotangent, size=kernel.shape[:2], strides=strides, pads=pads
            )
            return grad.astype(kernel.dtype)

        def xla_kernel_grad(x, cotangent):
            return jax.linear_transpose(lambda k: plain(x, k), kernel)(cotangent)[0]

        grad = lax.platform_dependent(
            x, cotangent, cpu=cpu_kernel_grad, default=xla_kernel_grad
        )
        return x_grad, grad

    conv.defvjp(forward, backward)
    return conv


def _is_plain(options) -> bool:
    return all(options.get(name, plain) == plain for name, plain in PLAIN.items())


def _rows_of_block(height: int, row_positions: int) -> int:
    """The most rows that divide `height` and fit into BLOCK; at least one."""
    divisors = [n for n in range(1, height + 1) if height % n == 0]
    return max([n for n in divisors if n * row_positions <= BLOCK], default=1)
