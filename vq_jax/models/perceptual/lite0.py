"""EfficientNet-Lite0 (1905.11946, without the parts that small chips lack)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.ops import depthwise


class Stage(NamedTuple):
    """Blocks of one number of channels, of which the first may shrink its input."""

    repeats: int
    size: int  # of the depthwise kernel
    stride: int  # of the first block
    expansion: int  # channels inside a block, as a multiple of those that come in
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
FEATURES = 1280


class Lite0(nn.Module):
    """Features of images, as EfficientNet-Lite0 has them before its classifier.

    Without squeeze-and-excitation, with ReLU6 for swish, and with TensorFlow's "SAME"
    padding. A BatchNorm behind every convolution is folded into it: scale into the
    kernel, the rest into the bias (`pretrained/lite0.py`). Everything is float32.

    Attributes:
        stages: the blocks.
        stem_channels: channels of the first convolution.
        features: channels of the last one.
    """

    stages: tuple[Stage, ...] = STAGES
    stem_channels: int = STEM_CHANNELS
    features: int = FEATURES

    @nn.compact
    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b f"]:
        """The last convolution's features, averaged over positions.

        Args:
            images: (x - 127) / 128 of x in [0, 255], RGB, of any size; 224 x 224 in
                training.
        """
        x = _conv(images, self.stem_channels, 3, strides=2, name="stem")
        x, number = _relu6(x), 0
        for stage in self.stages:
            for repeat in range(stage.repeats):
                stride = 1 if repeat else stage.stride
                fields = (stage.size, stride, stage.expansion, stage.channels)
                x = Block(*fields, name=f"block_{number}")(x)
                number += 1
        x = _relu6(_conv(x, self.features, 1, name="head"))
        return jnp.mean(x, axis=(1, 2))


class Block(nn.Module):
    """Expands, filters each channel for itself, projects (MobileNetV2, 1801.04381).

    The input is added where it has the shape of the result.

    Attributes:
        size: of the depthwise kernel.
        stride: of the depthwise convolution.
        expansion: channels inside, as a multiple of those that come in.
        channels: of the result, which no ReLU follows.
    """

    size: int
    stride: int
    expansion: int
    channels: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 f"]:
        inside = x
        if self.expansion != 1:
            width = self.expansion * x.shape[-1]
            inside = _relu6(_conv(x, width, 1, name="expand"))
        inside = _relu6(Depthwise(self.size, self.stride, name="depthwise")(inside))
        out = _conv(inside, self.channels, 1, name="project")
        return x + out if x.shape == out.shape else out


class Depthwise(nn.Module):
    """A convolution of each channel for itself, with a bias.

    Attributes:
        size: of the kernel.
        stride: in both directions.
    """

    size: int
    stride: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        channels = x.shape[-1]
        shape = (self.size, self.size, channels)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        return depthwise.convolve(x, kernel, self.stride) + bias.reshape(1, 1, 1, -1)


def _conv(x, channels: int, size: int, *, strides: int = 1, name: str):
    return nn.Conv(channels, (size, size), strides, "SAME", name=name)(x)


def _relu6(x):
    return jnp.minimum(jax.nn.relu(x), 6.0)
