"""Losses that compare the decoder's outputs with the images."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vq_jax.errors import InputError
from vq_jax.ops import likelihoods


def l1(
    recon: Float[Array, "b h w c"], images: Float[Array, "b h w c"]
) -> Float[Array, ""]:
    """Mean absolute error over all elements, float32; zero gradient where equal."""
    error = recon.astype(jnp.float32) - images.astype(jnp.float32)
    # The gradient of jnp.abs at 0 is 1: it would push saturated pixels off the target.
    return jnp.mean(jnp.where(error == 0, 0.0, jnp.abs(error)))


def l2(
    recon: Float[Array, "b h w c"], images: Float[Array, "b h w c"]
) -> Float[Array, ""]:
    """Mean squared error over all elements, float32."""
    return jnp.mean(jnp.square(recon.astype(jnp.float32) - images.astype(jnp.float32)))


def nll(
    likelihood: likelihoods.Likelihood,
    outputs: Float[Array, "b h w o"],
    images: Float[Array, "b h w c"],
) -> Float[Array, ""]:
    """Mean negative log-likelihood over all elements, nats per dimension, float32.

    Raises:
        InputError: if the likelihood has no density.
    """
    if likelihood.nll is None:
        choices = sorted(x.name for x in likelihoods.ALL if x.nll is not None)
        raise InputError(
            f"likelihood {likelihood.name!r} has no density, so the loss 'nll' does "
            f"not exist; choose a likelihood from {choices}, or the losses l1 or l2."
        )
    return jnp.mean(likelihood.nll(outputs, images))
