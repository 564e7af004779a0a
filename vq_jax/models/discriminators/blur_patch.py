"""The patch discriminator of VQGAN+, with anti-aliased down-sampling."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.discriminators.base import Discriminator, Images
from vq_jax.models.layers.blur import blur_pool
from vq_jax.models.layers.norms import GroupNorm
from vq_jax.models.layers.torch_conv import torch_conv

NUM_GROUPS, MAX_GRID = 32, 16


class BlurPatchDiscriminator(Discriminator):
    """Gives a logit for each patch, from 3x3 convolutions (MaskBit 2409.16211, sec. 3).

    Each stage has a convolution, a blur-pool that halves the size, and a GroupNorm. A
    maximum over windows then reduces grids of at least twice 16x16 towards that size,
    as in the authors' code.

    Attributes:
        base_dim: channels of the first stage, a multiple of 32; each further stage has
            twice as many as the one before.
        num_stages: number of stages.
    """

    base_dim: ranges.Width = 128
    num_stages: ranges.Depth = 3

    @nn.compact
    def __call__(
        self, images: Images, *, train: bool, init_from_data: bool = False
    ) -> Float[Array, "b hp wp"]:
        if min(images.shape[1:3]) < 2**self.num_stages:
            raise InputError(
                f"{images.shape[1]}x{images.shape[2]} images are halved to nothing by "
                f"config.discriminator.num_stages={self.num_stages}; use fewer."
            )
        x = self._conv("conv_in", images, self.base_dim, 5)
        x = jax.nn.leaky_relu(x, 0.1)
        for i in range(self.num_stages):
            x = blur_pool(self._conv(f"conv_{i}", x, self.base_dim * 2**i, 3))
            x = GroupNorm(NUM_GROUPS, epsilon=1e-5, name=f"norm_{i}")(x)
            x = jax.nn.leaky_relu(x, 0.1)
        window = tuple(max(1, side // MAX_GRID) for side in x.shape[1:3])
        x = nn.max_pool(x, window, strides=window)
        x = jax.nn.leaky_relu(self._conv("logits_in", x, x.shape[-1], 1), 0.1)
        return self._conv("logits_out", x, 1, 5)[..., 0].astype("float32")

    def _conv(self, name, x, channels, size):
        return torch_conv(x, channels, size, dtype=self.dtype, name=name)
