import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.losses import reconstruction
from vq_jax.ops import likelihoods


@pytest.fixture
def pair():
    recon, images = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 2))
    return jnp.asarray(recon, jnp.float32), jnp.asarray(images, jnp.float32)


@pytest.mark.parametrize(("loss", "power"), [("l1", 1), ("l2", 2)])
def test_loss_is_the_mean_over_all_elements(pair, loss, power):
    recon, images = map(np.float64, pair)
    found = getattr(reconstruction, loss)(*pair)
    expected = np.mean(np.abs(recon - images) ** power)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("loss", [reconstruction.l1, reconstruction.l2])
def test_bfloat16_is_averaged_in_float32(loss):
    # A bfloat16 mean of 2^14 equal numbers stalls far from their value.
    recon = jnp.full((1, 128, 128, 1), 1.0, jnp.bfloat16)
    found = loss(recon, jnp.zeros_like(recon))
    assert found.dtype == jnp.float32
    assert found == 1.0


def test_l1_gradient_is_the_sign_and_zero_where_equal():
    recon = jnp.asarray([-1.0, 0.0, 2.0, 0.5]).reshape(1, 2, 2, 1)
    images = jnp.asarray([0.0, 0.0, 0.0, 1.0]).reshape(1, 2, 2, 1)
    grad = jax.grad(reconstruction.l1)(recon, images)
    np.testing.assert_array_equal(grad.ravel(), [-0.25, 0.0, 0.25, -0.25])


def test_nll_of_uniform_logits_is_ln_256(pair):
    _, images = pair
    outputs = jnp.zeros((3, 4, 5, 512))
    found = reconstruction.nll(likelihoods.CATEGORICAL, outputs, images)
    np.testing.assert_allclose(found, np.log(256), rtol=1e-5)


def test_nll_without_density_says_what_has_one(pair):
    with pytest.raises(InputError, match=r"'pixels'.*\['categorical', 'discretized_l"):
        reconstruction.nll(likelihoods.PIXELS, *pair)
