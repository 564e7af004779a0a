"""The convolutions of VGG16 (1409.1556, configuration D), for LPIPS."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.ops import winograd

BLOCKS = (2, 2, 3, 3, 3)


class Vgg16(nn.Module):
    """Returns the features after each of VGG16's five blocks: relu1_2, …, relu5_3.

    Attributes:
        channels: channels of each block.
    """

    channels: tuple[int, ...] = (64, 128, 256, 512, 512)

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"]) -> list[jax.Array]:
        x, features, number = images, [], 0
        for block, (num_convs, channels) in enumerate(
            zip(BLOCKS, self.channels, strict=True)
        ):
            if block:
                x = nn.max_pool(x, (2, 2), strides=(2, 2))
            for _ in range(num_convs):
                conv = nn.Conv(
                    channels,
                    (3, 3),
                    conv_general_dilated=winograd.convolve,
                    name=f"conv_{number}",
                )
                x = jax.nn.relu(conv(x))
                number += 1
            features.append(x)
        return features
