"""The convolutional encoder of VQ-VAE."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers.residual import ResidualStack


class ConvEncoder(nn.Module):
    """Strided 4x4 convolutions, a 3x3 convolution, residual blocks (1711.00937v2, 4.1).

    The first convolution has half the width, as in the authors' released code; the text
    gives all of them `hidden_dim`.

    Attributes:
        hidden_dim: channels of the features.
        num_downsamples: number of convolutions of stride 2.
        num_res_blocks: residual blocks after them.
        res_dim: channels inside a residual block.
        dtype: dtype of the convolutions; parameters are float32.
    """

    hidden_dim: int = 128
    num_downsamples: int = 2
    num_res_blocks: int = 2
    res_dim: int = 32
    dtype: str = "float32"

    @property
    def downsampling_factor(self) -> int:
        return 2**self.num_downsamples

    @nn.compact
    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b hq wq hidden"]:
        x = images.astype(self.dtype)
        for level in range(self.num_downsamples):
            width = self.hidden_dim // 2 if level == 0 else self.hidden_dim
            x = nn.Conv(width, (4, 4), strides=(2, 2), padding=1, dtype=self.dtype)(x)
            x = jax.nn.relu(x)
        x = nn.Conv(self.hidden_dim, (3, 3), dtype=self.dtype)(x)
        return ResidualStack(self.num_res_blocks, self.res_dim, self.dtype)(x)
