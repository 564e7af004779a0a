"""A convolution whose kernel gradient is fast on CPUs, too."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

BLOCK = 1_024
"""Output positions that a block of the kernel gradient holds at most, about."""


def convolve(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "kh kw c f"],
    strides: tuple[int, int],
    padding,
    **options,
) -> Float[Array, "b h2 w2 f"]:
    """`lax.conv_general_dilated`, for `flax.linen.Conv(conv_general_dilated=…)`.

    Value and gradients are the same up to rounding. XLA's CPU backend computes the
    gradient of a kernel at a fraction of the speed of the other two passes, the smaller
    the larger the image; there `kernel_grad` replaces it, where strides are 1 and
    kernels larger than 1x1 (benchmarks/convolution.py). Other devices have XLA's own.
    There is no forward-mode derivative.
    """
    plain = functools.partial(
        lax.conv_general_dilated, window_strides=strides, padding=padding, **options
    )
    if tuple(strides) != (1, 1) or kernel.shape[:2] == (1, 1):
        return plain(x, kernel)
    pads = padding
    if isinstance(padding, str):
        pads = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)

    @jax.custom_vjp
    def conv(x, kernel):
        return plain(x, kernel)

    def forward(x, kernel):
        return plain(x, kernel), (x, kernel)

    def backward(saved, cotangent):
        x, kernel = saved
        (x_grad,) = jax.linear_transpose(lambda x: plain(x, kernel), x)(cotangent)
        ours = functools.partial(kernel_grad, size=kernel.shape[:2], pads=pads)

        def xlas(x, cotangent):
            return jax.linear_transpose(lambda k: plain(x, k), kernel)(cotangent)[0]

        grad = lax.platform_dependent(x, cotangent, cpu=ours, default=xlas)
        return x_grad, grad.astype(kernel.dtype)

    conv.defvjp(forward, backward)
    return conv(x, kernel)


def kernel_grad(
    x: Float[Array, "b h w c"],
    cotangent: Float[Array, "b h2 w2 f"],
    *,
    size: tuple[int, int],
    pads,
) -> Float[Array, "kh kw c f"]:
    """Gradient of a kernel of `size` at stride 1, with `pads` as lax has them.

    A sum over blocks of rows, each a product of the matrices of patches [positions,
    kh · kw · c] and of cotangents [positions, f] that stays in the cache. Sums are
    float32.
    """
    batch, height, width, features = cotangent.shape
    rows = _rows_of_block(height, batch * width)
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))

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

    zeros = jnp.zeros((size[0] * size[1] * x.shape[-1], features), jnp.float32)
    total, _ = lax.scan(add_block, zeros, jnp.arange(0, height, rows))
    return total.reshape(*size, x.shape[-1], features)


def _rows_of_block(height: int, positions_a_row: int) -> int:
    """The most rows that divide `height` and make no more than BLOCK positions."""
    divisors = [n for n in range(1, height + 1) if height % n == 0]
    return max([n for n in divisors if n * positions_a_row <= BLOCK], default=1)
