import jax.numpy as jnp
import numpy as np

from vq_jax.ops import gaussian


def _gaussian_kl(mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """KL(N(mean, variance) ‖ N(0, 1)) of each image (1312.6114, appendix B)."""
    mean, log_variance = np.float64(mean), np.float64(log_variance)
    per_latent = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance))
    return per_latent.reshape(len(mean), -1).sum(axis=1)


def test_kl_is_the_definition_summed_over_latents():
    rng = np.random.default_rng(0)
    mean, log_variance = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 4, 5))
    expected = _gaussian_kl(mean, log_variance)
    found = gaussian.kl_to_standard_normal(
        jnp.asarray(mean, jnp.float32), jnp.asarray(log_variance, jnp.float32)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_kl_near_the_prior_keeps_its_digits():
    # exp(x) - 1 - x is x²/2, far below float32's resolution of 1.
    small = jnp.full((1, 1), 1e-3)
    found = gaussian.kl_to_standard_normal(jnp.zeros((1, 1)), small)
    np.testing.assert_allclose(found, 0.25e-6, rtol=1e-2)


def test_reparameterised_samples_have_the_moments():
    noise = jnp.asarray(np.random.default_rng(0).normal(size=20_000), jnp.float32)
    mean, log_variance = jnp.full(20_000, 3.0), jnp.full(20_000, jnp.log(4.0))
    samples = gaussian.reparameterise(mean, log_variance, noise)
    np.testing.assert_allclose(samples.mean(), 3.0, atol=0.06)  # 4 standard errors
    np.testing.assert_allclose(samples.std(), 2.0, atol=0.05)
