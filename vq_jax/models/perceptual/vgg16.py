"""The convolutions of VGG16 (1409.1556, configuration D)."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

BLOCKS = (2, 2, 3, 3, 3)


class Vgg16(nn.Module):
    """Features after the last ReLU of each block: relu1_2, 2_2, 3_3, 4_3, 5_3.

    Attributes:
        widths: channels of each block.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"]) -> list[jax.Array]:
        x, taps, number = images, [], 0
        for block, (num_convs, width) in enumerate(
            zip(BLOCKS, self.widths, strict=True)
        ):
            if block:
                x = nn.max_pool(x, (2, 2), strides=(2, 2))
            for _ in range(num_convs):
                x = jax.nn.relu(nn.Conv(width, (3, 3), name=f"conv_{number}")(x))
                number += 1
            taps.append(x)
        return taps
