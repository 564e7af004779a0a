"""The convolutional encoder of VQ-VAE."""

from typing import Annotated

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.models.layers.residual import ResidualStack


class ConvEncoder(nn.Module):
    """VQ-VAE's encoder: strided convolutions, then residual blocks (1711.00937v2, 4.1).

    The strided convolutions are 4x4, and one of 3x3 follows. The first convolution has
    half of the channels, as in the authors' released code; the paper's text gives all
    of them `hidden_dim`.

    Attributes:
        hidden_dim: channels of the features.
        num_downsamples: number of convolutions of stride 2.
        num_res_blocks: number of residual blocks.
        res_dim: channels inside a residual block.
        dtype: dtype of the convolutions; parameters are float32.
    """

    hidden_dim: Annotated[int, ranges.Range(2, 2**14)] = 128
    num_downsamples: Annotated[int, ranges.Range(0, 16)] = 2
    num_res_blocks: ranges.Depth = 2
    res_dim: ranges.Width = 32
    dtype: str = "float32"

    @property
    def downsampling_factor(self) -> int:
        """Pixels that a position of the latent grid spans, in height and in width."""
        return 2**self.num_downsamples

    @property
    def levels(self) -> range:
        """Resolution levels above the latent grid's that have features."""
        return range(1, self.num_downsamples)

    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b hq wq hidden"]:
        return self.features(images, train=train)[self.num_downsamples]

    @nn.compact
    def features(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> dict[int, Float[Array, "b _ _ _"]]:
        """Features of each of `levels`, and last those of the latent grid.

        Level n has 2ⁿ times fewer rows and columns than an image.
        """
        x, found = images.astype(self.dtype), {}
        for i in range(self.num_downsamples):
            channels = self.hidden_dim // 2 if i == 0 else self.hidden_dim
            conv = nn.Conv(channels, (4, 4), strides=2, padding=1, dtype=self.dtype)
            x = found[i + 1] = jax.nn.relu(conv(x))
        x = nn.Conv(self.hidden_dim, (3, 3), dtype=self.dtype)(x)
        x = ResidualStack(self.num_res_blocks, self.res_dim, self.dtype)(x)
        return {**found, self.num_downsamples: x}
