"""The residual discriminator of StyleGAN2, with anti-aliased down-sampling."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.discriminators.base import Discriminator, Images
from vq_jax.models.layers.blur import blur_pool
from vq_jax.ops import folded_columns
from vq_jax.ops.convolution import LAYOUT

_init = nn.initializers.xavier_uniform()


class StyleGanDiscriminator(Discriminator):
    """Gives one logit for each image, from residual blocks (StyleGAN2 1912.04958, B).

    All images have the size of the training images. As in MAGVIT's code, there is no
    equalised learning rate and no minibatch deviation, and kernels are initialised from
    Glorot's uniform distribution.

    Attributes:
        base_dim: channels of the first convolution, at full size.
        multipliers: channels of each residual block, in multiples of `base_dim`; each
            block halves the size.
    """

    base_dim: ranges.Width = 64
    multipliers: ranges.Multipliers = (
        2,
        4,
        4,
        4,
    )

    @property
    def homogeneous(self) -> bool:
        return True

    @nn.compact
    def __call__(
        self, images: Images, *, train: bool, init_from_data: bool = False
    ) -> Float[Array, "b"]:
        if min(images.shape[1:3]) < 2 ** len(self.multipliers):
            raise InputError(
                f"{images.shape[1]}x{images.shape[2]} images are halved to nothing by "
                f"config.discriminator.multipliers={self.multipliers}; use fewer."
            )
        shortcut, x = self._at_full_size(images.astype(self.dtype))
        for i, multiplier in enumerate(self.multipliers):
            channels = self.base_dim * multiplier
            if i > 0:
                shortcut = blur_pool(x)
                x = self._conv(f"block_{i}_conv1", x, x.shape[-1])
                x = blur_pool(jax.nn.leaky_relu(x, 0.2))
            shortcut = self._conv(f"block_{i}_shortcut", shortcut, channels, 1, False)
            x = self._conv(f"block_{i}_conv2", x, channels)
            x = (jax.nn.leaky_relu(x, 0.2) + shortcut) / math.sqrt(2)
        x = jax.nn.leaky_relu(self._conv("conv_out", x, x.shape[-1]), 0.2)
        x = x.reshape(len(x), -1)
        x = nn.Dense(channels, dtype=self.dtype, kernel_init=_init, name="dense")(x)
        x = jax.nn.leaky_relu(x, 0.2).astype("float32")
        return nn.Dense(1, kernel_init=_init, name="logit")(x)[:, 0]

    def _at_full_size(self, images):
        """What the first block adds up, after `conv_in`: both are halved already."""
        first = _Weights(self.base_dim, self.dtype, name="conv_in")(images.shape[-1])
        second = _Weights(self.base_dim, self.dtype, name="block_0_conv1")(
            self.base_dim
        )
        weights = (*first, *second)
        _, height, width, _ = images.shape
        if height % 2 or not folded_columns.fit(width, self.base_dim):
            return _plain(images, *weights)
        return lax.platform_dependent(images, *weights, tpu=_folded, default=_plain)

    def _conv(self, name, x, channels, size=3, use_bias=True):
        options = {"use_bias": use_bias, "kernel_init": _init, "dtype": self.dtype}
        return nn.Conv(channels, (size, size), **options, name=name)(x)


class _Weights(nn.Module):
    """Kernel and bias of a 3x3 convolution, as `nn.Conv` has them, in `dtype`."""

    channels: int
    dtype: str

    @nn.compact
    def __call__(self, in_channels: int):
        kernel = self.param("kernel", _init, (3, 3, in_channels, self.channels))
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        return kernel.astype(self.dtype), bias.astype(self.dtype)


def _plain(images, kernel_in, bias_in, kernel, bias):
    def convolve(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT
        )

    x = _activated(convolve(images, kernel_in), bias_in)
    return blur_pool(x), blur_pool(_activated(convolve(x, kernel), bias))


def _folded(images, kernel_in, bias_in, kernel, bias):
    """`_plain`, on pairs of columns."""
    bias_in, bias = jnp.tile(bias_in, 2), jnp.tile(bias, 2)
    x = folded_columns.convolve(folded_columns.fold(images), kernel_in)
    x = _activated(x, bias_in)
    hidden = _activated(folded_columns.convolve(x, kernel), bias)
    return folded_columns.blur_pool(x), folded_columns.blur_pool(hidden)


def _activated(x, bias):
    return jax.nn.leaky_relu(x + bias.reshape(1, 1, 1, -1), 0.2)
