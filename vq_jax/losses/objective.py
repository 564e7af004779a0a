"""The objective of an autoencoder: the one place where weights meet its losses."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Literal, TypedDict

import jax.numpy as jnp
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.config.fields import check_section
from vq_jax.errors import InputError
from vq_jax.losses import reconstruction
from vq_jax.models.autoencoder import Autoencoder, AutoencoderOutput
from vq_jax.models.heads import GaussianHead
from vq_jax.models.perceptual.lpips import NETS, Lpips

PERCEPTUAL = "perceptual"
RECONSTRUCTION = ("l1", "l2", "nll")

Scalar = Float[Array, ""]
Logs = dict[str, Scalar]


class LossFields(TypedDict, total=False):
    """The section `config.losses`: weights; a loss of weight 0 is not computed."""

    l1: ranges.Weight
    l2: ranges.Weight
    nll: ranges.Weight
    perceptual: ranges.Weight
    kl: ranges.Weight
    quantizer: ranges.Weight


class PerceptualFields(TypedDict):
    """The section `config.perceptual`: the network of LPIPS."""

    net: Literal[tuple(NETS)]


@dataclasses.dataclass(frozen=True)
class Objective:
    """A weighted sum of losses, each a float32 mean over the batch.

    | name | loss |
    |---|---|
    | l1, l2 | mean over all elements, images in [-1, 1] |
    | nll | under the model's likelihood, nats per dimension |
    | perceptual | LPIPS, mean over images |
    | kl | of the Gaussian head, nats per dimension of the image |
    | quantizer | the quantizer's own loss, with its inner weights |

    The first four compare images and follow from the decoder's outputs, the last two
    follow from the latents. Each method returns the weighted sum and, for the logs,
    the losses before their weights.

    Attributes:
        model: the autoencoder, for its likelihood.
        weights: name -> weight; a loss that has none is not computed.
        perceptual_net: the network of LPIPS, where "perceptual" has a weight.
    """

    model: Autoencoder
    weights: Mapping[str, float]
    perceptual_net: str = ""

    @property
    def nets(self) -> tuple[str, ...]:
        """Names of the pretrained networks whose parameters the methods need."""
        return (self.perceptual_net,) if PERCEPTUAL in self.weights else ()

    def loss(
        self,
        output: AutoencoderOutput,
        images: Float[Array, "b h w c"],
        nets: Mapping[str, dict] | None,
    ) -> tuple[Scalar, Logs]:
        """All losses. `nets` has the parameters of each of `self.nets`, if any."""
        of_images = self._image_losses(output.outputs, images, nets)
        return self._sum({**of_images, **self._latent_losses(output, images)})

    def image_loss(
        self,
        outputs: Float[Array, "b h w o"],
        images: Float[Array, "b h w c"],
        nets: Mapping[str, dict] | None,
    ) -> tuple[Scalar, Logs]:
        """Those that follow from the decoder's outputs."""
        return self._sum(self._image_losses(outputs, images, nets))

    def latent_loss(
        self, output: AutoencoderOutput, images: Float[Array, "b h w c"]
    ) -> tuple[Scalar, Logs]:
        """Those that follow from the latents."""
        return self._sum(self._latent_losses(output, images))

    def _image_losses(self, outputs, images, nets) -> dict[str, Callable]:
        recon = self.model.likelihood.mean(outputs, self.model.channels)
        return {
            "l1": lambda: reconstruction.l1(recon, images),
            "l2": lambda: reconstruction.l2(recon, images),
            "nll": lambda: reconstruction.nll(self.model.likelihood, outputs, images),
            PERCEPTUAL: lambda: mean_lpips(
                self.perceptual_net, nets[self.perceptual_net], recon, images
            ),
        }

    def _latent_losses(self, output, images) -> dict[str, Callable]:
        return {
            # Nats per image dimension, the unit of `nll`: weights of 1 make the ELBO.
            "kl": lambda: jnp.mean(output.kl) / math.prod(images.shape[1:]),
            "quantizer": lambda: output.quantized.loss,
        }

    def _sum(self, losses: Mapping[str, Callable]) -> tuple[Scalar, Logs]:
        return weighted_sum(self.weights, losses)


def weighted_sum(
    weights: Mapping[str, float], losses: Mapping[str, Callable[[], Scalar]]
) -> tuple[Scalar, Logs]:
    """The sum of the losses that have a weight, and each of these before it; float32.

    Those of weight 0, or of none, are not computed.
    """
    logs = {
        name: loss().astype(jnp.float32)
        for name, loss in losses.items()
        if weights.get(name)
    }
    total = jnp.zeros((), jnp.float32)
    for name, loss in logs.items():
        total += jnp.asarray(weights[name], jnp.float32) * loss
    return total, logs


def mean_lpips(
    net: str,
    params: dict,
    images: Float[Array, "b h w c"],
    others: Float[Array, "b h w c"],
) -> Scalar:
    """LPIPS with the network of this name and parameters, mean over images."""
    return jnp.mean(Lpips(net=net).apply({"params": params}, images, others))


def build_objective(config: ConfigDict, model: Autoencoder) -> Objective:
    """The objective of `config.losses` and, for a perceptual loss, its network.

    Raises:
        InputError: an unknown loss, a weight below 0, no reconstruction loss, `nll`
            without a likelihood that has a density, `kl` and the Gaussian head not
            together, or an unknown or missing network.
    """
    losses = config.losses.to_dict()
    check_section(LossFields, losses, "config.losses")
    weights = {name: weight for name, weight in losses.items() if weight}
    _check_weights(model, weights)
    if PERCEPTUAL not in weights:
        return Objective(model, weights)
    if "perceptual" not in config:
        raise InputError(
            f"config.losses.perceptual={weights[PERCEPTUAL]} needs a network in "
            "config.perceptual.net; --config=FILE:perceptual has both."
        )
    check_section(PerceptualFields, config.perceptual, "config.perceptual")
    return Objective(model, weights, config.perceptual.net)


def _check_weights(model: Autoencoder, weights: Mapping[str, float]) -> None:
    if not set(weights) & set(RECONSTRUCTION):
        raise InputError(
            "config.losses has no reconstruction term; give one of "
            f"{sorted(RECONSTRUCTION)} a weight above 0."
        )
    if "nll" in weights and model.likelihood.nll is None:
        raise InputError(
            f"config.losses.nll={weights['nll']} needs a likelihood, and "
            f"config.model.likelihood={model.likelihood.name!r} is none; choose "
            "'categorical', 'discretized_logistic' or 'logit_laplace'."
        )
    gaussian = isinstance(model.head, GaussianHead)
    if gaussian != ("kl" in weights):
        raise InputError(
            f"config.losses.kl={weights.get('kl', 0.0)} does not fit the "
            f"{'Gaussian' if gaussian else 'deterministic'} head: give kl a weight "
            "above 0 with config.model.head.name='gaussian', and 0 without."
        )
