"""Convolutions that start as PyTorch's do."""

import math

import jax
from flax import linen as nn

from vq_jax.ops import convolution

kernel_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""U(-1/√fan_in, 1/√fan_in), a third of the variance of Flax's default."""


def torch_conv(
    in_dim: int,
    features: int,
    size: int = 3,
    *,
    strides: int = 1,
    padding="SAME",
    use_bias: bool = True,
    kernel_init: nn.initializers.Initializer = kernel_init,
    dtype: str = "float32",
    name: str | None = None,
) -> nn.Conv:
    """A square convolution; kernel and bias start in U(-1/√fan_in, 1/√fan_in).

    Bias and kernel of `torch.nn.Conv2d` by default; other codes that are called ports
    of VQGAN start biases at 0, and kernels √3 times as large.
    """
    bound = 1 / math.sqrt(in_dim * size**2)
    return nn.Conv(
        features,
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
