"""The loss terms of an autoencoder, by the names that carry weights in a config."""

import math
from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from vq_jax.errors import InputError
from vq_jax.losses import reconstruction
from vq_jax.models.autoencoder import Autoencoder, AutoencoderOutput
from vq_jax.models.heads import GaussianHead


def _l1(model, outputs, recon, images):
    return reconstruction.l1(recon, images)


def _l2(model, outputs, recon, images):
    return reconstruction.l2(recon, images)


def _nll(model, outputs, recon, images):
    return reconstruction.nll(model.likelihood, outputs, images)


def _kl(output, images):
    # Nats per image dimension, the unit of `nll`: weights of 1 make the ELBO.
    return jnp.mean(output.kl) / math.prod(images.shape[1:])


def _quantizer(output, images):
    return output.quantized.loss


PERCEPTUAL = "perceptual"
RECONSTRUCTION_TERMS = {"l1": _l1, "l2": _l2, "nll": _nll}
LATENT_TERMS = {"kl": _kl, "quantizer": _quantizer}
NAMES = (*RECONSTRUCTION_TERMS, PERCEPTUAL, *LATENT_TERMS)


def autoencoder_terms(
    model: Autoencoder,
    output: AutoencoderOutput,
    images: Float[Array, "b h w c"],
    names: tuple[str, ...],
    perceptual: Callable | None = None,
    nets=None,
) -> dict[str, Float[Array, ""]]:
    """The named terms, unweighted float32 scalars, means over the batch.

    l1, l2: mean over all elements, images in [-1, 1]. nll: nats per dimension under the
    model's likelihood. perceptual: mean over images. kl: nats per dimension of the
    image. quantizer: the quantizer's own loss, with its inner weights.

    Args:
        perceptual: (nets, recon, images) -> distances [b].
        nets: parameters of the nets that `perceptual` looks with.
    """
    of_images = tuple(name for name in names if name not in LATENT_TERMS)
    of_latents = tuple(name for name in names if name in LATENT_TERMS)
    return {
        **image_terms(model, output.outputs, images, of_images, perceptual, nets),
        **latent_terms(output, images, of_latents),
    }


def image_terms(
    model: Autoencoder,
    outputs: Float[Array, "b h w o"],
    images: Float[Array, "b h w c"],
    names: tuple[str, ...],
    perceptual: Callable | None = None,
    nets=None,
) -> dict[str, Float[Array, ""]]:
    """Those of `autoencoder_terms` that follow from the decoder's outputs."""
    recon = model.likelihood.mean(outputs, model.channels)
    terms = {
        name: RECONSTRUCTION_TERMS[name](model, outputs, recon, images)
        for name in names
        if name != PERCEPTUAL
    }
    if PERCEPTUAL in names:
        terms[PERCEPTUAL] = jnp.mean(perceptual(nets, recon, images))
    return terms


def latent_terms(
    output: AutoencoderOutput,
    images: Float[Array, "b h w c"],
    names: tuple[str, ...],
) -> dict[str, Float[Array, ""]]:
    """Those of `autoencoder_terms` that follow from the latents."""
    return {name: LATENT_TERMS[name](output, images) for name in names}


def split_weights(weights: Mapping[str, float]) -> tuple[dict, dict]:
    """The weights of `image_terms` and of `latent_terms`."""
    of_latents = {name: w for name, w in weights.items() if name in LATENT_TERMS}
    of_images = {name: w for name, w in weights.items() if name not in LATENT_TERMS}
    return of_images, of_latents


def check_weights(model: Autoencoder, weights: dict[str, float]) -> dict[str, float]:
    """The weights that are not 0, checked against what the model can compute.

    Raises:
        InputError: an unknown term, no reconstruction term, `nll` without a likelihood,
            or `kl` and the Gaussian head not together.
    """
    unknown = sorted(set(weights) - set(NAMES))
    if unknown:
        raise InputError(
            f"config.losses has no {unknown}; choose from {sorted(NAMES)}."
        )
    active = {name: weight for name, weight in weights.items() if weight}
    if not set(active) & set(RECONSTRUCTION_TERMS):
        raise InputError(
            "config.losses has no reconstruction term; give one of "
            f"{sorted(RECONSTRUCTION_TERMS)} a weight above 0."
        )
    if "nll" in active and model.likelihood.nll is None:
        raise InputError(
            f"config.losses.nll={active['nll']} needs a likelihood, and "
            f"config.model.likelihood={model.likelihood.name!r} is none; choose "
            "'categorical', 'discretized_logistic' or 'logit_laplace'."
        )
    gaussian = isinstance(model.head, GaussianHead)
    if gaussian != ("kl" in active):
        raise InputError(
            f"config.losses.kl={weights.get('kl', 0.0)} does not fit the "
            f"{'Gaussian' if gaussian else 'deterministic'} head: give kl a weight "
            "above 0 with config.model.head.name='gaussian', and 0 without."
        )
    return active
