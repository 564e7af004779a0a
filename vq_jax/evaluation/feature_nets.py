"""The networks in whose features sets of images are compared."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from vq_jax.models.perceptual.alexnet import AlexNet
from vq_jax.models.perceptual.lite0 import Lite0
from vq_jax.ops import images as image_ops
from vq_jax.ops import lpips
from vq_jax.pretrained.lite0 import lite0_net
from vq_jax.pretrained.lpips import lpips_nets
from vq_jax.pretrained.nets import Net


@dataclasses.dataclass(frozen=True)
class FeatureNet:
    """A pretrained network as a judge of images.

    Attributes:
        net: its parameters.
        features: (parameters, images) -> float32 [b, d], of images float32 [b, h, w, 3]
            in [-1, 1], of any size; pure.
    """

    net: Net
    features: Callable


def lite0_features(params, images: Float[Array, "b h w 3"]) -> Float[Array, "b d"]:
    """EfficientNet-Lite0's 1280 pooled features."""
    scaled = (127.5 * (images + 1.0) - 127.0) / 128.0
    return Lite0().apply({"params": params}, scaled)


def alexnet_features(params, images: Float[Array, "b h w 3"]) -> Float[Array, "b d"]:
    """The 256 features after AlexNet's last convolution, averaged over positions."""
    variables = {"params": params["trunk"]}
    *_, last = AlexNet().apply(variables, lpips.standardise(images))
    return jnp.mean(last, axis=(1, 2))


# A distance in the features of one is not comparable with that in another's. FID is the
# name of the distance in those of the Inception network of 2015-12-05 alone: with its
# weights it is a line here.
FEATURE_NETS = {
    "alexnet": FeatureNet(lpips_nets(["alexnet"])["alexnet"], alexnet_features),
    "lite0": FeatureNet(lite0_net(), lite0_features),
}


def prepared(images: UInt8[Array, "b h w c"], size: int) -> Float[Array, "b h2 w2 3"]:
    """Images as a judge sees them: float32 RGB in [-1, 1], size x size.

    Grey becomes three equal channels. Sides are scaled bilinearly, and antialiased
    where they shrink.
    """
    images = image_ops.from_uint8(images)
    count, height, width, channels = images.shape
    if channels == 1:
        images = jnp.repeat(images, 3, axis=-1)
    if (height, width) == (size, size):
        return images
    return jax.image.resize(images, (count, size, size, 3), "bilinear")
