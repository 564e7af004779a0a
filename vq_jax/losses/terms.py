"""The loss terms of an autoencoder, by the names that carry weights in a config."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from vq_jax.errors import InputError
from vq_jax.losses import reconstruction
from vq_jax.models.autoencoder import Autoencoder, AutoencoderOutput
from vq_jax.models.heads import GaussianHead


def _l1(model, output, images):
    return reconstruction.l1(output.recon, images)


def _l2(model, output, images):
    return reconstruction.l2(output.recon, images)


def _nll(model, output, images):
    return reconstruction.nll(model.likelihood, output.outputs, images)


def _kl(model, output, images):
    # Nats per image dimension, the unit of `nll`: weights of 1 make the ELBO.
    return jnp.mean(output.kl) / math.prod(images.shape[1:])


def _quantizer(model, output, images):
    return output.quantized.loss


RECONSTRUCTION_TERMS = {"l1": _l1, "l2": _l2, "nll": _nll}
TERMS = {**RECONSTRUCTION_TERMS, "kl": _kl, "quantizer": _quantizer}


def autoencoder_terms(
    model: Autoencoder,
    output: AutoencoderOutput,
    images: Float[Array, "b h w c"],
    names: tuple[str, ...],
) -> dict[str, Float[Array, ""]]:
    """The named terms, unweighted float32 scalars, means over the batch.

    l1, l2: mean over all elements, images in [-1, 1]. nll: nats per dimension under the
    model's likelihood. kl: nats per dimension of the image. quantizer: the quantizer's
    own loss, with its inner weights.
    """
    return {name: TERMS[name](model, output, images) for name in names}


def check_weights(model: Autoencoder, weights: dict[str, float]) -> dict[str, float]:
    """The weights that are not 0, checked against what the model can compute.

    Raises:
        InputError: an unknown term, no reconstruction term, `nll` without a likelihood,
            or `kl` and the Gaussian head not together.
    """
    unknown = sorted(set(weights) - set(TERMS))
    if unknown:
        raise InputError(
            f"config.losses has no {unknown}; choose from {sorted(TERMS)}."
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
