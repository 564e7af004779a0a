"""The convolutional decoder of VQ-VAE."""

from typing import Annotated

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.models.layers.fusion import Fuse, unchanged
from vq_jax.models.layers.residual import ResidualStack
from vq_jax.models.layers.transposed import TransposedConv


class ConvDecoder(nn.Module):
    """VQ-VAE's decoder, which mirrors `ConvEncoder` (1711.00937v2, sec. 4.1).

    A 3x3 convolution, residual blocks, then transposed 4x4 convolutions of stride 2.

    Attributes:
        out_channels: channels of the outputs: those of an image times
            `likelihood.outputs_per_channel`.
        hidden_dim: channels of the features.
        num_upsamples: number of transposed convolutions.
        num_res_blocks: number of residual blocks.
        res_dim: channels inside a residual block.
        dtype: dtype of the convolutions; parameters and outputs are float32.
    """

    out_channels: int
    hidden_dim: Annotated[int, ranges.Range(2, 2**14)] = 128
    num_upsamples: Annotated[int, ranges.Range(0, 16)] = 2
    num_res_blocks: ranges.Depth = 2
    res_dim: ranges.Width = 32
    dtype: str = "float32"

    @property
    def upsampling_factor(self) -> int:
        """Pixels that a position of the latent grid spans, in height and in width."""
        return 2**self.num_upsamples

    @property
    def last_kernel(self) -> tuple[str, str]:
        """Path of the last layer's kernel in the decoder's parameters."""
        last = self.num_upsamples - 1
        return (f"TransposedConv_{last}" if self.num_upsamples else "Conv_1", "kernel")

    @property
    def levels(self) -> range:
        """Resolution levels above the latent grid's that `fuse` is called for."""
        return range(1, self.num_upsamples)

    @nn.compact
    def __call__(
        self, z_q: Float[Array, "b hq wq d"], *, train: bool, fuse: Fuse = unchanged
    ) -> Float[Array, "b h w o"]:
        """Outputs; `fuse` makes of the features of a level those that it goes on with.

        Level n has 2ⁿ times fewer rows and columns than an image.
        """
        x = nn.Conv(self.hidden_dim, (3, 3), dtype=self.dtype)(z_q)
        x = ResidualStack(self.num_res_blocks, self.res_dim, self.dtype)(x)
        for i in reversed(range(1, self.num_upsamples)):
            channels = self.hidden_dim // 2 if i == 1 else self.hidden_dim
            x = fuse(jax.nn.relu(TransposedConv(channels, self.dtype)(x)), i)
        if self.num_upsamples:
            x = TransposedConv(self.out_channels, self.dtype)(x)
        else:
            x = nn.Conv(self.out_channels, (3, 3), dtype=self.dtype)(x)
        return x.astype("float32")
