"""The Gaussian posterior of a VAE: samples, and KL divergence from N(0, 1)."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def reparameterise(
    mean: Float[Array, "*n"],
    log_variance: Float[Array, "*n"],
    noise: Float[Array, "*n"],
) -> Float[Array, "*n"]:
    """A sample μ + σε of the posterior (Kingma & Welling 1312.6114v11, eq. 10).

    `noise`, ε, comes from N(0, 1); gradients reach mean and log variance.
    """
    return mean + jnp.exp(0.5 * log_variance) * noise


def kl_to_standard_normal(
    mean: Float[Array, "b *latents"], log_variance: Float[Array, "b *latents"]
) -> Float[Array, "b"]:
    """KL(N(μ, σ²) ‖ N(0, 1)) of each image, in nats, summed over its latents; float32.

    Kingma & Welling 1312.6114v11, appendix B (there with the opposite sign).
    """
    mean, log_variance = mean.astype(jnp.float32), log_variance.astype(jnp.float32)
    # expm1(x) - x instead of exp(x) - 1 - x: no cancellation near σ = 1.
    terms = 0.5 * (mean**2 + jnp.expm1(log_variance) - log_variance)
    return jnp.sum(terms, axis=tuple(range(1, terms.ndim)))
