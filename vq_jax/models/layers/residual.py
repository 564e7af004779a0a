"""The residual blocks of VQ-VAE."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float


class ResidualBlock(nn.Module):
    """A residual block: x + Conv1x1(ReLU(Conv3x3(ReLU(x)))) (1711.00937v2, sec. 4.1).

    Attributes:
        res_dim: channels between the two convolutions.
        dtype: dtype of the convolutions; parameters are float32.
    """

    res_dim: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        hidden = nn.Conv(self.res_dim, (3, 3), dtype=self.dtype)(jax.nn.relu(x))
        hidden = nn.Conv(x.shape[-1], (1, 1), dtype=self.dtype)(jax.nn.relu(hidden))
        return x + hidden


class ResidualStack(nn.Module):
    """`num_res_blocks` residual blocks and a final ReLU.

    Attributes:
        num_res_blocks: number of blocks.
        res_dim: channels inside a block.
        dtype: dtype of the convolutions.
    """

    num_res_blocks: int
    res_dim: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        for _ in range(self.num_res_blocks):
            x = ResidualBlock(self.res_dim, self.dtype)(x)
        return jax.nn.relu(x)
