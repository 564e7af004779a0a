"""The convolutions of AlexNet in torchvision's version (1404.5997), for LPIPS."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

# kernel size, stride, padding, whether a max-pooling comes before
LAYERS = ((11, 4, 2, False), (5, 1, 2, True), (3, 1, 1, True)) + 2 * ((3, 1, 1, False),)


class AlexNet(nn.Module):
    """Returns the features after each of AlexNet's five ReLUs.

    Attributes:
        channels: channels of each convolution.
    """

    channels: tuple[int, ...] = (64, 192, 384, 256, 256)

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"]) -> list[jax.Array]:
        x, features = images, []
        for i, ((size, stride, pad, pooled), channels) in enumerate(
            zip(LAYERS, self.channels, strict=True)
        ):
            if pooled:
                x = nn.max_pool(x, (3, 3), strides=(2, 2))
            conv = nn.Conv(channels, (size, size), stride, pad, name=f"conv_{i}")
            x = jax.nn.relu(conv(x))
            features.append(x)
        return features
