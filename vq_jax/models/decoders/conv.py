"""The convolutional decoder of VQ-VAE."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers.residual import ResidualStack
from vq_jax.models.layers.transposed import TransposedConv


class ConvDecoder(nn.Module):
    """Mirror of `ConvEncoder`: residual blocks, transposed 4x4 convolutions (4.1).

    Attributes:
        out_channels: channels of the output: those of an image times the numbers that
            its likelihood needs for each.
        hidden_dim: channels of the features.
        num_upsamples: number of transposed convolutions of stride 2.
        num_res_blocks: residual blocks before them.
        res_dim: channels inside a residual block.
        dtype: dtype of the convolutions; parameters and the output are float32.
    """

    out_channels: int
    hidden_dim: int = 128
    num_upsamples: int = 2
    num_res_blocks: int = 2
    res_dim: int = 32
    dtype: str = "float32"

    @property
    def upsampling_factor(self) -> int:
        return 2**self.num_upsamples

    @property
    def last_kernel(self) -> tuple[str, str]:
        """Path of the kernel of the last layer in the decoder's parameters."""
        last = self.num_upsamples - 1
        return (f"TransposedConv_{last}" if self.num_upsamples else "Conv_1", "kernel")

    @nn.compact
    def __call__(
        self, z_q: Float[Array, "b hq wq d"], *, train: bool
    ) -> Float[Array, "b h w out"]:
        x = nn.Conv(self.hidden_dim, (3, 3), dtype=self.dtype)(z_q)
        x = ResidualStack(self.num_res_blocks, self.res_dim, self.dtype)(x)
        for level in reversed(range(1, self.num_upsamples)):
            width = self.hidden_dim // 2 if level == 1 else self.hidden_dim
            x = jax.nn.relu(TransposedConv(width, self.dtype)(x))
        if self.num_upsamples:
            x = TransposedConv(self.out_channels, self.dtype)(x)
        else:
            x = nn.Conv(self.out_channels, (3, 3), dtype=self.dtype)(x)
        return x.astype("float32")
