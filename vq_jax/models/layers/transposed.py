"""A transposed convolution, computed as a convolution and a reshape."""

import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float


class TransposedConv(nn.Module):
    """A transposed 4x4 convolution of stride 2 that is fast on CPUs.

    It has the values of nn.ConvTranspose(channels, (4, 4), strides=(2, 2),
    padding="SAME"). The result has four phases: pixels of even and odd rows and
    columns. A pixel of each phase depends on 2x2 of the 3x3 pixels around it, so a 3x3
    convolution computes all phases as channels; 5/9 of its kernel are 0, and it has
    2.25 times the flops of the usual form. On a CPU its forward pass is somewhat slower
    than the usual one, and its kernel gradient several times faster, which makes the
    training step faster (benchmarks/transposed_conv.py).

    Attributes:
        channels: channels of the result.
        dtype: dtype of the convolution; parameters are float32.
    """

    channels: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 f"]:
        b, h, w, c = x.shape
        init = nn.initializers.lecun_normal()
        kernel = self.param("kernel", init, (4, 4, c, self.channels))
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        phases = phase_kernel(kernel).astype(self.dtype)
        layout = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(
            x.astype(self.dtype), phases, (1, 1), "SAME", dimension_numbers=layout
        )
        y = y.reshape(b, h, w, 2, 2, self.channels).transpose(0, 1, 3, 2, 4, 5)
        y = y.reshape(b, 2 * h, 2 * w, self.channels)
        return y + bias.astype(self.dtype).reshape(1, 1, 1, -1)


def phase_kernel(
    kernel: Float[Array, "4 4 c f"],
) -> Float[Array, "3 3 c 4*f"]:
    """The 3x3 kernel that computes all phases of a transposed 4x4 convolution.

    Its result's channels are those of the phases (0, 0), (0, 1), (1, 0), (1, 1). Along
    an axis, entry 2a + i of the transposed kernel is entry a of phase i, whose 2
    entries begin i pixels later.
    """
    taps = kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])
    rows = [
        jnp.stack([jnp.pad(taps[:, i, :, j], _window(i, j)) for j in (0, 1)], axis=3)
        for i in (0, 1)
    ]
    return jnp.stack(rows, axis=3).reshape(3, 3, kernel.shape[2], -1)


def _window(i: int, j: int):
    return ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))
