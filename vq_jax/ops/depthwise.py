"""A convolution of each channel for itself, as a sum of shifted products."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c"], stride: int
) -> Float[Array, "b h2 w2 c"]:
    """Depthwise convolution with "SAME" padding, as TensorFlow defines it.

    XLA computes grouped convolutions on CPUs without vectors; a sum of kh · kw products
    it fuses into one loop.
    """
    height, width, channels = kernel.shape
    pads = lax.padtype_to_pads(x.shape[1:3], (height, width), (stride, stride), "SAME")
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    rows, columns = (-(-side // stride) for side in x.shape[1:3])

    def shifted(i, j):
        stops = (i + (rows - 1) * stride + 1, j + (columns - 1) * stride + 1)
        window = padded[:, i : stops[0] : stride, j : stops[1] : stride]
        return window * kernel[i, j].reshape(1, 1, 1, channels)

    return sum(shifted(i, j) for i in range(height) for j in range(width))
