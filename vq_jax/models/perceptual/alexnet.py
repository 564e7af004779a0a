"""The convolutions of AlexNet, in the form of torchvision (1404.5997)."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

# kernel size, stride, padding, whether pooling comes before
LAYERS = ((11, 4, 2, False), (5, 1, 2, True), (3, 1, 1, True)) + 2 * ((3, 1, 1, False),)


class AlexNet(nn.Module):
    """Features after each of the five ReLUs.

    Attributes:
        widths: channels of each layer.
    """

    widths: tuple[int, ...] = (64, 192, 384, 256, 256)

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"]) -> list[jax.Array]:
        x, taps = images, []
        for i, ((size, stride, pad, pooled), width) in enumerate(
            zip(LAYERS, self.widths, strict=True)
        ):
            if pooled:
                x = nn.max_pool(x, (3, 3), strides=(2, 2))
            conv = nn.Conv(
                width,
                (size, size),
                strides=stride,
                padding=((pad, pad), (pad, pad)),
                name=f"conv_{i}",
            )
            x = jax.nn.relu(conv(x))
            taps.append(x)
        return taps
