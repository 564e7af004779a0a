"""The objective of style transfer: Gram matrices of one image, features of another."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from vq_jax.ops import gram

Features = Sequence[Float[Array, "b _ _ _"]]


class Targets(NamedTuple):
    """What an image is to become like.

    Attributes:
        grams: of the style image, a matrix of each layer of style.
        content: features of the content image at the layer of content.
    """

    grams: tuple[Float[Array, "b _ _"], ...]
    content: Float[Array, "b h w c"]


@dataclasses.dataclass(frozen=True)
class StyleObjective:
    """(1 - strength) content + strength style, each in [0, 1].

    As eq. 7 of Gatys et al. (2016), with relative distances:

    | name | loss |
    |---|---|
    | content | relative distance of features at one layer (their eq. 1, relative) |
    | style | mean over layers of the relative distance of Gram matrices (their eq. 5) |

    `ops/gram.py: relative_distance` says relative to what: so neither the scale of a
    layer nor that of an image counts, and one strength means much the same for all.

    Attributes:
        style_layers: numbers of features, as the network returns them. Of LPIPS' VGG16
            0 to 4 are relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3. The first four
            are those of Johnson et al. (1603.08155); Gatys et al. take the first
            convolution of each of five blocks, and average pooling for max pooling.
        content_layer: one such number: here relu3_3, as Johnson et al.; Gatys et al.
            take conv4_2.
    """

    style_layers: tuple[int, ...] = (0, 1, 2, 3)
    content_layer: int = 2

    def grams(self, features: Features) -> tuple[Float[Array, "b _ _"], ...]:
        """The Gram matrices of the layers of style."""
        return tuple(gram.gram_matrix(features[i]) for i in self.style_layers)

    def targets(self, style: Features, content: Features) -> Targets:
        """Of the features of both images."""
        return Targets(self.grams(style), content[self.content_layer])

    def __call__(
        self,
        features: Features,
        targets: Targets,
        strength: Float[Array, ""] | float,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """The weighted sum, and both losses before their weights; float32 means.

        Args:
            features: of the image that is optimised.
            targets: of the two that are given; no gradient is meant to reach them.
            strength: in [0, 1].
        """
        grams = zip(self.grams(features), targets.grams, strict=True)
        style = jnp.mean(jnp.stack([gram.relative_distance(*pair) for pair in grams]))
        content = jnp.mean(
            gram.relative_distance(features[self.content_layer], targets.content)
        )
        total = (1.0 - strength) * content + strength * style
        return total, {"content": content, "style": style}
