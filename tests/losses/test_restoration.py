"""The objective of restoration against its definition, and where its gradients go."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax import InputError
from vq_jax.losses.restoration import RestorationObjective
from vq_jax.models.perceptual.lpips import Lpips


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


def test_restored_images_are_compared_where_that_has_a_weight():
    rng = np.random.default_rng(0)
    restored, images = (
        jnp.asarray(rng.uniform(-1, 1, (2, 32, 32, 3)), jnp.float32) for _ in range(2)
    )
    shapes = Lpips(net="alexnet").init(jax.random.key(0), restored, images)["params"]
    objective = RestorationObjective(0.5, 1.0, l1=2.0, perceptual=3.0, net="alexnet")
    total, logs = objective.image_loss(restored, images, {"alexnet": shapes})
    l1 = np.abs(np.asarray(restored, np.float64) - images).mean()
    lpips = Lpips(net="alexnet").apply({"params": shapes}, restored, images).mean()
    assert logs["l1"] == pytest.approx(l1, rel=1e-5)
    assert logs["perceptual"] == pytest.approx(float(lpips), rel=1e-5)
    assert total == pytest.approx(2.0 * l1 + 3.0 * float(lpips), rel=1e-5)
    assert objective.nets == ("alexnet",)
    assert not RestorationObjective(0.5, 1.0).of_images


def test_a_perceptual_loss_needs_its_network():
    with pytest.raises(InputError, match=r"perceptual=1.0 needs a network in config"):
        RestorationObjective(0.5, 1.0, perceptual=1.0)
