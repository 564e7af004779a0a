"""The residual discriminator of StyleGAN2, with anti-aliased down-sampling."""

import math

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.discriminators.base import Discriminator, Images
from vq_jax.models.layers.blur import blur_pool

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

    @nn.compact
    def __call__(
        self, images: Images, *, train: bool, init_from_data: bool = False
    ) -> Float[Array, "b"]:
        if min(images.shape[1:3]) < 2 ** len(self.multipliers):
            raise InputError(
                f"{images.shape[1]}x{images.shape[2]} images are halved to nothing by "
                f"config.discriminator.multipliers={self.multipliers}; use fewer."
            )
        x = self._conv("conv_in", images, self.base_dim)
        x = jax.nn.leaky_relu(x, 0.2)
        for i, multiplier in enumerate(self.multipliers):
            channels = self.base_dim * multiplier
            shortcut = blur_pool(x)
            shortcut = self._conv(f"block_{i}_shortcut", shortcut, channels, 1, False)
            x = jax.nn.leaky_relu(self._conv(f"block_{i}_conv1", x, x.shape[-1]), 0.2)
            x = self._conv(f"block_{i}_conv2", blur_pool(x), channels)
            x = (jax.nn.leaky_relu(x, 0.2) + shortcut) / math.sqrt(2)
        x = jax.nn.leaky_relu(self._conv("conv_out", x, x.shape[-1]), 0.2)
        x = x.reshape(len(x), -1)
        x = nn.Dense(channels, dtype=self.dtype, kernel_init=_init, name="dense")(x)
        x = jax.nn.leaky_relu(x, 0.2).astype("float32")
        return nn.Dense(1, kernel_init=_init, name="logit")(x)[:, 0]

    def _conv(self, name, x, channels, size=3, use_bias=True):
        options = {"use_bias": use_bias, "kernel_init": _init, "dtype": self.dtype}
        return nn.Conv(channels, (size, size), **options, name=name)(x)
