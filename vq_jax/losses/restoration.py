"""The objective of restoration: the clean image's codes, and the clean image."""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.losses import reconstruction
from vq_jax.losses.objective import PERCEPTUAL, mean_lpips, weighted_sum
from vq_jax.ops import cross_entropy

Scalar = Float[Array, ""]
Logs = dict[str, Scalar]


@dataclasses.dataclass(frozen=True)
class RestorationObjective:
    """The section `config.losses` of restoration (2206.11253, sections 3.2 and 3.3).

    | name | loss |
    |---|---|
    | cross_entropy | of the clean image's codes, nats a token |
    | latents | mean squared error of z_e to the clean image's z_q, over all elements |
    | l1 | mean absolute error of the restored image, in [-1, 1], over all elements |
    | perceptual | LPIPS of the restored image, mean over images |

    The last two are for a restorer whose decoder is fed with features of the degraded
    image; a loss of weight 0 is not computed.

    Attributes:
        cross_entropy, latents, l1, perceptual: their weights; all but the first are 1
            in CodeFormer, which has 0.5.
        net: the network of LPIPS, where it has a weight.
    """

    cross_entropy: ranges.Weight
    latents: ranges.Weight
    l1: ranges.Weight = 0.0
    perceptual: ranges.Weight = 0.0
    net: str = ""

    def __post_init__(self):
        if not self.cross_entropy:
            raise InputError(
                "config.losses.cross_entropy=0.0 would train no transformer; give it a "
                "weight above 0."
            )
        if self.perceptual and not self.net:
            raise InputError(
                f"config.losses.perceptual={self.perceptual} needs a network in "
                "config.perceptual.net, as vgg16."
            )

    @property
    def of_images(self) -> bool:
        """Whether a restored image is compared at all."""
        return bool(self.l1 or self.perceptual)

    @property
    def nets(self) -> tuple[str, ...]:
        """Names of the pretrained networks whose parameters `image_loss` needs."""
        return (self.net,) if self.perceptual else ()

    def code_loss(
        self,
        logits: Float[Array, "b hq wq k"],
        z_e: Float[Array, "b hq wq d"],
        indices: Int[Array, "b hq wq"],
        z_q: Float[Array, "b hq wq d"],
    ) -> tuple[Scalar, Logs]:
        """The weighted sum of the first two, and both before their weights; float32.

        Gradients reach `logits` and `z_e`; codes and `z_q` are those of the clean
        image, which nothing trains.
        """
        losses = {
            "cross_entropy": lambda: jnp.mean(
                cross_entropy.token_nats(logits, indices)
            ),
            "latents": lambda: latent_error(z_e, z_q),
        }
        return weighted_sum(self._weights, losses)

    def image_loss(
        self,
        restored: Float[Array, "b h w c"],
        images: Float[Array, "b h w c"],
        nets: Mapping[str, dict],
    ) -> tuple[Scalar, Logs]:
        """The weighted sum of the last two, and both before their weights; float32.

        Images are in [-1, 1], and gradients reach those that are restored. `nets` has
        the parameters of each of `self.nets`.
        """
        losses = {
            "l1": lambda: reconstruction.l1(restored, images),
            PERCEPTUAL: lambda: mean_lpips(self.net, nets[self.net], restored, images),
        }
        return weighted_sum(self._weights, losses)

    @property
    def _weights(self) -> dict[str, float]:
        names = ("cross_entropy", "latents", "l1", PERCEPTUAL)
        return {name: getattr(self, name) for name in names}


def latent_error(
    z_e: Float[Array, "b hq wq d"], z_q: Float[Array, "b hq wq d"]
) -> Scalar:
    """Mean squared difference over all elements, float32."""
    return jnp.mean(jnp.square(z_e.astype(jnp.float32) - z_q.astype(jnp.float32)))
