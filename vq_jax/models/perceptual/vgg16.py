"""The convolutions of VGG16 (1409.1556, configuration D), for LPIPS."""

import jax
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops import folded_columns, winograd

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
                x = _max_pool(x)
            for _ in range(num_convs):
                conv = nn.Conv(
                    channels,
                    (3, 3),
                    conv_general_dilated=_convolve,
                    name=f"conv_{number}",
                )
                x = jax.nn.relu(conv(x))
                number += 1
            features.append(x)
        return features


def _convolve(x, kernel, strides, padding, **options):
    """One of the layers above; narrow ones on TPUs in pairs of columns.

    Folded or not, it is of 3x3 taps, stride 1 and padding "SAME".
    """

    def plain(x, kernel):
        return winograd.convolve(x, kernel, strides, padding, **options)

    def folded(x, kernel):
        x = folded_columns.fold(x)
        return folded_columns.unfold(folded_columns.convolve(x, kernel))

    if not folded_columns.fit(x.shape[2], kernel.shape[-1]):
        return plain(x, kernel)
    return lax.platform_dependent(x, kernel, tpu=folded, default=plain)


def _max_pool(x):
    """The largest of each 2x2 pixels, likewise."""

    def plain(x):
        return nn.max_pool(x, (2, 2), strides=(2, 2))

    def folded(x):
        return folded_columns.max_pool(folded_columns.fold(x))

    if not folded_columns.fit(x.shape[2], x.shape[3]):
        return plain(x)
    return lax.platform_dependent(x, tpu=folded, default=plain)
