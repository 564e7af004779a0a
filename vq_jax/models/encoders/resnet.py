"""The residual encoder of VQGAN, and of tokenizers derived from it."""

import functools
from typing import Annotated

from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.models.layers import resnet
from vq_jax.models.layers.torch_conv import torch_conv


class ResnetEncoder(resnet.ResnetLevels):
    """Residual blocks at several resolutions, each half of the one before.

    By default it is VQGAN's encoder (2012.09841v3, table 7), whose `quant_conv` is the
    head here. Parameters have the names of its released code: `down_{level}_…` is
    resolution level `level`, 0 being the highest resolution. `features_dim` are the
    channels of the features that are returned, and the first convolution has `base_dim`
    channels, with a bias where `use_bias`.

    Attributes:
        features_kernel: size of the last convolution's kernel; 3, or 1 in MaskGIT.
        downsampling: see `layers/resnet.py: Downsample`.
    """

    features_kernel: Annotated[int, ranges.Range(1, 15)] = 3
    downsampling: resnet.Downsampling = "conv"

    @property
    def levels(self) -> range:
        """Resolution levels above the latent grid's that have features."""
        return range(len(self.multipliers) - 1)

    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b hq wq hidden"]:
        return self.features(images, train=train)[len(self.levels)]

    @nn.compact
    def features(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> dict[int, Float[Array, "b _ _ _"]]:
        """Features of each of `levels`, and last those of the latent grid.

        Level n has 2ⁿ times fewer rows and columns than an image.
        """
        found, x = {}, images
        for level in range(len(self.multipliers)):
            run = functools.partial(ResnetEncoder._level, level=level, train=train)
            x = (resnet.remat(run) if self.is_remat(level) else run)(self, x)
            if level in self.levels:
                found[level] = x
                name = f"down_{level}_downsample"
                x = resnet.Downsample(self.downsampling, self.dtype, name=name)(x)
        x = self.last_norm(self.middle_blocks(x, train=train))
        options = {"size": self.features_kernel, "dtype": self.dtype}
        x = torch_conv(x, self.features_dim, **options, name="conv_out")
        return {**found, len(self.levels): x}

    def _level(self, x, *, level: int, train: bool):
        """The residual blocks of a level, after the first convolution where it is 0."""
        if level == 0:
            options = {"use_bias": self.use_bias, "dtype": self.dtype}
            x = torch_conv(x, self.base_dim, **options, name="conv_in")
        return self.level_blocks(x, level, f"down_{level}", train=train)
