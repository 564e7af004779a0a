"""LPIPS: distance of images in the features of a network trained on ImageNet."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.perceptual.alexnet import AlexNet
from vq_jax.models.perceptual.vgg16 import Vgg16
from vq_jax.ops import lpips
from vq_jax.typing import Variables

NETS = {"alexnet": AlexNet, "vgg16": Vgg16}
MIN_SIDE = 32


class Lpips(nn.Module):
    """Learned perceptual image patch similarity (1801.03924), version 0.1.

    Everything is float32 and deterministic: there is no dropout before the linear
    weights, which VQGAN's released code leaves on in training by accident.

    Attributes:
        net: the network whose features are compared.
        channels: channels of its layers; () for those of the pretrained network.
    """

    net: Literal["vgg16", "alexnet"] = "vgg16"
    channels: tuple[int, ...] = ()

    def __call__(
        self, images: Float[Array, "b h w c"], others: Float[Array, "b h w c"]
    ) -> Float[Array, "b"]:
        """Distance of each pair of images in [-1, 1], grey or RGB; 0 for equal ones.

        Sides below 32 pixels are first enlarged to 32, bilinearly, since deeper layers
        would be empty. Gradients reach both images.
        """
        total = jnp.zeros(len(images), jnp.float32)
        for distances in self.layers(images, others):
            total += jnp.mean(distances, axis=(1, 2))
        return total

    def spatial(
        self, images: Float[Array, "b h w c"], others: Float[Array, "b h w c"]
    ) -> Float[Array, "b h w"]:
        """The distance by pixel: each layer's brought to their grid, bilinearly.

        A pixel's is that of its surroundings, as far as each layer sees. It is the
        `spatial` of the authors' code, for sides of 32 pixels or more.
        """
        total = jnp.zeros(images.shape[:3], jnp.float32)
        for distances in self.layers(images, others):
            total += jax.image.resize(distances, total.shape, "bilinear")
        return total

    @nn.compact
    def layers(
        self, images: Float[Array, "b h w c"], others: Float[Array, "b h w c"]
    ) -> list[Float[Array, "b _ _"]]:
        """The distance at each position of each layer."""
        trunk = _trunk(self, name="trunk")
        # Two passes and not one over all images: where one of a pair needs no gradient,
        # as the original in training, its backward pass is left out.
        layers = zip(trunk(_prepared(images)), trunk(_prepared(others)), strict=True)
        found = []
        for i, (a, b) in enumerate(layers):
            weights = self.param(f"head_{i}", nn.initializers.ones, (a.shape[-1],))
            found.append(lpips.feature_distance(a, b, weights))
        return found


def trunk_features(
    net: Lpips, params: Variables, images: Float[Array, "b h w c"]
) -> list[jax.Array]:
    """What LPIPS with these parameters compares: the features of each layer.

    Of images in [-1, 1], grey or RGB, enlarged as there if they are small.
    """
    return _trunk(net).apply({"params": params["trunk"]}, _prepared(images))


def _trunk(net: Lpips, **options) -> nn.Module:
    if net.channels:
        options["channels"] = net.channels
    return NETS[net.net](**options)


def _prepared(images):
    """Images as the network was trained on them: RGB, large enough, standardised."""
    images = images.astype(jnp.float32)
    count, height, width, channels = images.shape
    if channels == 1:
        images = jnp.repeat(images, 3, axis=-1)
    if min(height, width) < MIN_SIDE:
        size = (count, max(height, MIN_SIDE), max(width, MIN_SIDE), 3)
        images = jax.image.resize(images, size, "bilinear")
    return lpips.standardise(images)
