"""A convolution whose gradient with respect to the kernel is also fast on CPUs."""

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
    `kernel_grad` computes it for plain convolutions: kernels HWIO of more than 1x1,
    stride 1, no dilation, no groups. These have no forward-mode derivative. Other
    devices use XLA's gradient.

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
    if layouts[0] != layouts[1] or not _is_plain(kernel, strides, options):
        return plain(x, kernel)
    pads = padding
    if isinstance(padding, str):
        pads = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    return _with_kernel_grad(plain, pads)(x, kernel)


def kernel_grad(
    x: Float[Array, "b h w c"],
    cotangent: Float[Array, "b h2 w2 f"],
    *,
    size: tuple[int, int],
    pads,
) -> Float[Array, "kh kw c f"]:
    """Gradient with respect to the kernel of a convolution of stride 1.

    It is a sum over blocks of image rows. Each block is the product of a matrix of
    patches [positions, kh · kw · c] with the cotangents [positions, f], and small
    enough for the processor's cache, if one row of the whole batch is. Sums are
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

    def add_block(total, start):
        slab = lax.dynamic_slice_in_dim(padded, start, rows + size[0] - 1, axis=1)
        patches = jnp.concatenate(
            [
                slab[:, i : i + rows, j : j + width]
                for i in range(size[0])
                for j in range(size[1])
            ],
            axis=-1,
        )
        block = lax.dynamic_slice_in_dim(cotangent, start, rows, axis=1)
        over_positions = (((0, 1, 2), (0, 1, 2)), ((), ()))
        product = lax.dot_general(
            patches, block, over_positions, preferred_element_type=jnp.float32
        )
        return total + product, None

    zeros = jnp.zeros((size[0] * size[1] * x.shape[-1], channels), jnp.float32)
    total, _ = lax.scan(add_block, zeros, jnp.arange(0, height, rows))
    return total.reshape(*size, x.shape[-1], channels)


def _with_kernel_grad(plain, pads):
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
            grad = kernel_grad(x, cotangent, size=kernel.shape[:2], pads=pads)
            return grad.astype(kernel.dtype)

        def xla_kernel_grad(x, cotangent):
            return jax.linear_transpose(lambda k: plain(x, k), kernel)(cotangent)[0]

        grad = lax.platform_dependent(
            x, cotangent, cpu=cpu_kernel_grad, default=xla_kernel_grad
        )
        return x_grad, grad

    conv.defvjp(forward, backward)
    return conv


def _is_plain(kernel, strides, options) -> bool:
    return (
        kernel.shape[:2] != (1, 1)
        and tuple(strides) == (1, 1)
        and all(options.get(name, plain) == plain for name, plain in PLAIN.items())
    )


def _rows_of_block(height: int, row_positions: int) -> int:
    """The most rows that divide `height` and fit into BLOCK; at least one."""
    divisors = [n for n in range(1, height + 1) if height % n == 0]
    return max([n for n in divisors if n * row_positions <= BLOCK], default=1)
