import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from vq_jax.losses import kl
from vq_jax.testing import reference


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(scale=st.floats(1e-3, 5.0), seed=st.integers(0, 2**16))
def test_gaussian_kl_matches_the_definition(scale, seed):
    draws = scale * np.random.default_rng(seed).normal(size=(2, 3, 2, 4, 5))
    mean, log_variance = draws.astype(np.float32)
    found = kl.gaussian_kl(jnp.asarray(mean), jnp.asarray(log_variance))
    np.testing.assert_allclose(
        found, reference.gaussian_kl(mean, log_variance), rtol=2e-5
    )


def test_gaussian_kl_keeps_its_digits_close_to_the_prior():
    log_variance = np.full((1, 1), 1e-3, np.float32)
    found = kl.gaussian_kl(jnp.zeros((1, 1)), jnp.asarray(log_variance))
    v = np.float64(log_variance)
    np.testing.assert_allclose(found, (v**2 / 4 + v**3 / 12)[0], rtol=1e-3)


def test_gaussian_kl_and_its_gradients_vanish_at_the_prior():
    zeros = jnp.zeros((2, 3, 4))
    np.testing.assert_array_equal(kl.gaussian_kl(zeros, zeros), 0.0)
    total = lambda *args: kl.gaussian_kl(*args).sum()  # noqa: E731
    for grad in jax.grad(total, argnums=(0, 1))(zeros, zeros):
        np.testing.assert_array_equal(grad, 0.0)


def test_gaussian_kl_is_summed_in_float32():
    mean = jnp.full((1, 2**12), 1.0, jnp.bfloat16)
    found = kl.gaussian_kl(mean, jnp.zeros_like(mean))
    assert found.dtype == jnp.float32
    assert found[0] == 2**11
