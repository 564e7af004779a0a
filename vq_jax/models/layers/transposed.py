"""Transposed convolution as a convolution and a shuffle."""

import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float


class TransposedConv(nn.Module):
    """nn.ConvTranspose(features, (4, 4), strides=(2, 2), padding="SAME"), same numbers.

    Each of the four phases of the output sees 2x2 of the 3x3 inputs around it, so one
    3x3 convolution computes all phases as channels, 5/9 of its taps being zero. That is
    2.25 times the flops of the dilated form. On a CPU its forward pass is somewhat
    slower, but the dilated form's weight gradient some ten times, and that decides a
    training step (benchmarks/transposed_conv.py).

    Attributes:
        features: output channels.
        dtype: dtype of the convolution; parameters are float32.
    """

    features: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 features"]:
        b, h, w, c = x.shape
        init = nn.initializers.lecun_normal()
        kernel = self.param("kernel", init, (4, 4, c, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        phases = phase_kernel(kernel).astype(self.dtype)
        y = _conv3x3(x.astype(self.dtype), phases)
        y = y.reshape(b, h, w, 2, 2, self.features).transpose(0, 1, 3, 2, 4, 5)
        y = y.reshape(b, 2 * h, 2 * w, self.features)
        return y + bias.astype(self.dtype).reshape(1, 1, 1, -1)


def phase_kernel(
    kernel: Float[Array, "4 4 c f"],
) -> Float[Array, "3 3 c 4*f"]:
    """The 3x3 kernel whose channels are the phases (0, 0), (0, 1), (1, 0), (1, 1).

    Tap 2a + i of the transposed kernel is tap a of phase i, which begins i pixels
    later.
    """
    taps = kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])
    rows = [
        jnp.stack([jnp.pad(taps[:, i, :, j], _window(i, j)) for j in (0, 1)], axis=3)
        for i in (0, 1)
    ]
    return jnp.stack(rows, axis=3).reshape(3, 3, kernel.shape[2], -1)


def _window(i: int, j: int):
    return ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))


def _conv3x3(x, kernel):
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
