"""The objective of restoration against its definition, and where its gradients go."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax import InputError
from vq_jax.losses.restoration import RestorationObjective


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    logits, z_e, z_q = (
        jnp.asarray(rng.normal(size=(2, 3, 3, last)), jnp.float32) for last in (6, 4, 4)
    )
    return logits, z_e, jnp.asarray(rng.integers(0, 6, (2, 3, 3)), jnp.int32), z_q


def test_it_is_the_weighted_sum_of_both(arrays):
    logits, z_e, indices, z_q = (np.asarray(x, np.float64) for x in arrays)
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    chosen = np.take_along_axis(probs, indices.astype(int)[..., None], axis=-1)
    nats, error = -np.log(chosen).mean(), ((z_e - z_q) ** 2).mean()
    total, logs = RestorationObjective(0.5, 2.0).code_loss(*arrays)
    assert logs["cross_entropy"] == pytest.approx(nats, rel=1e-5)
    assert logs["latents"] == pytest.approx(error, rel=1e-5)
    assert total == pytest.approx(0.5 * nats + 2.0 * error, rel=1e-5)


def test_gradients_pull_the_features_to_the_codes(arrays):
    logits, z_e, indices, z_q = arrays

    def loss(logits, z_e):
        return RestorationObjective(0.5, 2.0).code_loss(logits, z_e, indices, z_q)[0]

    of_logits, of_features = jax.grad(loss, argnums=(0, 1))(logits, z_e)
    np.testing.assert_allclose(of_features, 4.0 * (z_e - z_q) / z_e.size, rtol=1e-5)
    hot = jax.nn.one_hot(indices, 6)
    wanted = 0.5 * (jax.nn.softmax(logits) - hot) / indices.size
    np.testing.assert_allclose(of_logits, wanted, rtol=1e-4, atol=1e-7)


def test_without_cross_entropy_there_is_nothing_to_predict():
    with pytest.raises(InputError, match=r"cross_entropy=0.0 would train no transf"):
        RestorationObjective(0.0, 1.0)
