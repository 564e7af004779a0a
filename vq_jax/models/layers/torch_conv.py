"""Convolutions initialised as in PyTorch."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.ops import winograd
from vq_jax.ops.convolution import LAYOUT

torch_kernel = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""U(-1/√fan_in, 1/√fan_in), a third of the variance of Flax's default."""


def torch_bias(fan_in: int) -> nn.initializers.Initializer:
    """Initialises biases as `torch.nn.Conv2d`: from U(-1/√fan_in, 1/√fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return lambda key, shape, dtype: jax.random.uniform(
        key, shape, dtype, -bound, bound
    )


def torch_conv(
    x: Float[Array, "b h w c"],
    channels: int,
    size: int = 3,
    *,
    strides: int = 1,
    padding="SAME",
    use_bias: bool = True,
    dtype: str = "float32",
    convolve: Callable = winograd.convolve,
    name: str,
) -> Float[Array, "b h2 w2 f"]:
    """Applies an `nn.Conv` with a square kernel, initialised as `torch.nn.Conv2d`.

    It has to be called in a compact module, whose submodule NAME the convolution
    becomes. Kernel and bias are drawn from U(-1/√fan_in, 1/√fan_in). Flax's default,
    which some ports of VQGAN use, has kernels √3 times as large, and biases of 0.

    Args:
        channels: channels of the result.
        size: height and width of the kernel.
        convolve: what computes it, with the arguments of `conv_general_dilated`.
    """
    return nn.Conv(
        channels,
        (size, size),
        strides=strides,
        padding=padding,
        use_bias=use_bias,
        kernel_init=torch_kernel,
        bias_init=torch_bias(x.shape[-1] * size**2),
        dtype=dtype,
        conv_general_dilated=convolve,
        name=name,
    )(x)


class ConvAndBias(nn.Module):
    """A 3x3 convolution, and the bias that is still to be added to it, or None.

    With the parameters of `torch_conv`. Added within a norm that follows, the bias has
    its gradient for nothing (`ops/group_norm.py`).

    Attributes:
        channels, use_bias, dtype: as of `torch_conv`.
    """

    channels: int
    use_bias: bool
    dtype: str

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"]
    ) -> tuple[Float[Array, "b h w f"], Float[Array, "f"] | None]:
        in_channels = x.shape[-1]
        shape = (3, 3, in_channels, self.channels)
        kernel = self.param("kernel", torch_kernel, shape).astype(self.dtype)
        y = winograd.convolve(
            x.astype(self.dtype), kernel, (1, 1), "SAME", dimension_numbers=LAYOUT
        )
        if not self.use_bias:
            return y, None
        initializer = torch_bias(9 * in_channels)
        return y, self.param("bias", initializer, (self.channels,), jnp.float32)
