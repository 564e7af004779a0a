"""Kullback-Leibler divergence of the continuous (KL-regularised) bottleneck."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def gaussian_kl(
    mean: Float[Array, "b *grid d"], log_variance: Float[Array, "b *grid d"]
) -> Float[Array, "b"]:
    """KL(N(mean, variance) || N(0, 1)), in nats per image: summed over its latents.

    Kingma & Welling, 1312.6114, appendix B. At least 0; float32.
    """
    mean, log_variance = mean.astype(jnp.float32), log_variance.astype(jnp.float32)
    # expm1(v) - v keeps the digits that exp(v) - 1 - v loses close to the prior.
    per_latent = 0.5 * (jnp.square(mean) + jnp.expm1(log_variance) - log_variance)
    return jnp.sum(per_latent, axis=tuple(range(1, mean.ndim)))
