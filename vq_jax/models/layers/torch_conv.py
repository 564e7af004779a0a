"""Convolutions initialised as in PyTorch."""

import math

import jax
from flax import linen as nn

from vq_jax.ops import convolution

kernel_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""U(-1/√fan_in, 1/√fan_in), a third of the variance of Flax's default."""


def torch_conv(
    in_channels: int,
    out_channels: int,
    size: int = 3,
    *,
    strides: int = 1,
    padding="SAME",
    use_bias: bool = True,
    kernel_init: nn.initializers.Initializer = kernel_init,
    dtype: str = "float32",
    name: str | None = None,
) -> nn.Conv:
    """An `nn.Conv` with a square kernel, initialised as `torch.nn.Conv2d`.

    Kernel and bias are drawn from U(-1/√fan_in, 1/√fan_in). Flax's default, which some
    ports of VQGAN use, has kernels √3 times as large, and biases of 0.

    Args:
        size: height and width of the kernel.
    """
    bound = 1 / math.sqrt(in_channels * size**2)
    return nn.Conv(
        out_channels,
        (size, size),
        strides=strides,
        padding=padding,
        use_bias=use_bias,
        kernel_init=kernel_init,
        bias_init=lambda key, shape, dtype: jax.random.uniform(
            key, shape, dtype, -bound, bound
        ),
        dtype=dtype,
        conv_general_dilated=convolution.convolve,
        name=name,
    )
