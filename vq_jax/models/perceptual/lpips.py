"""LPIPS, the distance of images in the features of a net trained on ImageNet."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.perceptual.alexnet import AlexNet
from vq_jax.models.perceptual.vgg16 import Vgg16
from vq_jax.ops import lpips

NETS = {"alexnet": AlexNet, "vgg16": Vgg16}
MIN_SIDE = 32


class Lpips(nn.Module):
    """Learned perceptual image patch similarity (1801.03924), version 0.1.

    All of it is float32, and nothing is random: the dropout before the linear heads,
    which VQGAN's released code leaves on in training by accident, is not there.

    Attributes:
        net: the net that looks.
        widths: channels of its layers; () is the net's own.
    """

    net: Literal["vgg16", "alexnet"] = "vgg16"
    widths: tuple[int, ...] = ()

    @nn.compact
    def __call__(
        self, images: Float[Array, "b h w c"], others: Float[Array, "b h w c"]
    ) -> Float[Array, "b"]:
        """Distances of pairs of images in [-1, 1], grey or RGB; 0 for equal ones.

        Sides below 32 pixels are first scaled to 32, bilinearly, since deeper layers
        would be empty. Gradients reach both images.
        """
        options = {"widths": self.widths} if self.widths else {}
        trunk = NETS[self.net](**options, name="trunk")
        # Two passes, not one over both: where one of a pair needs no gradient, as the
        # original in training, half of the backward pass falls away.
        taps = zip(trunk(_prepared(images)), trunk(_prepared(others)), strict=True)
        total = jnp.zeros(len(images), jnp.float32)
        for i, (tap, other) in enumerate(taps):
            head = self.param(f"head_{i}", nn.initializers.ones, (tap.shape[-1],))
            total += lpips.tap_distance(tap, other, head)
        return total


def _prepared(images):
    """As the net was trained on them: RGB, large enough, standardised."""
    images = images.astype(jnp.float32)
    count, height, width, channels = images.shape
    if channels == 1:
        images = jnp.repeat(images, 3, axis=-1)
    if min(height, width) < MIN_SIDE:
        size = (count, max(height, MIN_SIDE), max(width, MIN_SIDE), 3)
        images = jax.image.resize(images, size, "bilinear")
    return lpips.standardise(images)
