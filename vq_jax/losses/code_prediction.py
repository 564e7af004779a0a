"""The objective of restoration: the clean image's codes, and their vectors."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.ops import cross_entropy

Scalar = Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class CodePrediction:
    """The section `config.losses` of restoration (2206.11253, section 3.2).

    | name | loss |
    |---|---|
    | cross_entropy | of the clean image's codes, nats a token |
    | latents | mean squared error of z_e to the clean image's z_q, over all elements |

    Attributes:
        cross_entropy, latents: their weights; CodeFormer's are 0.5 and 1.
    """

    cross_entropy: ranges.Weight
    latents: ranges.Weight

    def __post_init__(self):
        if not self.cross_entropy:
            raise InputError(
                "config.losses.cross_entropy=0.0 would train no transformer; give it a "
                "weight above 0."
            )

    def loss(
        self,
        logits: Float[Array, "b hq wq k"],
        z_e: Float[Array, "b hq wq d"],
        indices: Int[Array, "b hq wq"],
        z_q: Float[Array, "b hq wq d"],
    ) -> tuple[Scalar, dict[str, Scalar]]:
        """The weighted sum, and the losses before their weights; float32 means.

        Gradients reach `logits` and `z_e`; codes and `z_q` are those of the clean
        image, which nothing trains.
        """
        logs = {
            "cross_entropy": jnp.mean(cross_entropy.token_nats(logits, indices)),
            "latents": latent_error(z_e, z_q),
        }
        total = self.cross_entropy * logs["cross_entropy"]
        return total + self.latents * logs["latents"], logs


def latent_error(
    z_e: Float[Array, "b hq wq d"], z_q: Float[Array, "b hq wq d"]
) -> Scalar:
    """Mean squared difference over all elements, float32."""
    return jnp.mean(jnp.square(z_e.astype(jnp.float32) - z_q.astype(jnp.float32)))
