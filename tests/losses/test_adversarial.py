import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs.parts.adversarial import ADVERSARIAL
from vq_jax.losses import adversarial
from vq_jax.losses.adversarial_objective import AdversarialObjective

RNG = np.random.default_rng(0)
REAL, FAKE = (RNG.normal(size=(4, 3, 3)).astype(np.float32) for _ in range(2))


def _softplus(x):
    return np.log1p(np.exp(np.asarray(x, np.float64)))


def _definition(name, real, fake):
    """(discriminator, generator) in float64."""
    if name == "hinge":
        total = np.maximum(1 - real, 0).mean() + np.maximum(1 + fake, 0).mean()
        return total / 2, -fake.mean()
    if name == "vanilla":
        total = _softplus(-real).mean() + _softplus(fake).mean()
        return total / 2, _softplus(-fake).mean()
    real, fake = real.mean((1, 2)), fake.mean((1, 2))
    return _softplus(-real).mean() + _softplus(fake).mean(), _softplus(-fake).mean()


@pytest.mark.parametrize("name", adversarial.GENERATOR_LOSSES)
def test_losses_follow_their_definition(name):
    wanted = _definition(name, REAL.astype(np.float64), FAKE.astype(np.float64))
    real, fake = jnp.asarray(REAL), jnp.asarray(FAKE)
    found = adversarial.DISCRIMINATOR_LOSSES[name](real, fake)
    np.testing.assert_allclose(found, wanted[0], rtol=1e-6)
    found = adversarial.GENERATOR_LOSSES[name](fake)
    np.testing.assert_allclose(found, wanted[1], rtol=1e-6)


@pytest.mark.parametrize("name", adversarial.GENERATOR_LOSSES)
def test_both_sides_pull_the_logits_of_fakes_apart(name):
    fake = jnp.asarray(FAKE)
    up = jax.grad(adversarial.GENERATOR_LOSSES[name])(fake)
    down = jax.grad(adversarial.DISCRIMINATOR_LOSSES[name], argnums=1)(fake, fake)
    assert (up < 0).all()  # descent raises them
    assert (down >= 0).all()
    assert (down > 0).any()


@pytest.mark.parametrize("name", ["non_saturating", "vanilla"])
def test_large_logits_keep_losses_finite(name):
    real, fake = jnp.full((2, 2), -1e4), jnp.full((2, 2), 1e4)
    loss, grad = jax.value_and_grad(adversarial.DISCRIMINATOR_LOSSES[name])(real, fake)
    assert np.isfinite(loss)
    assert np.isfinite(grad).all()


def test_accuracy_counts_both_sides():
    real, fake = jnp.asarray([1.0, -1.0]), jnp.asarray([-1.0, -1.0])
    assert adversarial.accuracy(real, fake) == 0.75


@pytest.mark.parametrize("batch", [1, 5])
def test_r1_of_a_linear_discriminator_is_the_squared_norm_of_its_weights(batch):
    weights = jnp.asarray(RNG.normal(size=(1, 4, 4, 3)), jnp.float32)
    images = jnp.asarray(RNG.normal(size=(batch, 4, 4, 3)), jnp.float32)

    def patches(x):  # two patches whose mean is the linear map
        value = jnp.sum(x * weights, axis=(1, 2, 3))
        return jnp.stack([value + 1.0, value - 1.0], axis=1)

    found = adversarial.r1(patches, images)
    np.testing.assert_allclose(found, jnp.sum(weights**2), rtol=1e-5)


def test_r1_can_be_differentiated():
    images = jnp.asarray(RNG.normal(size=(2, 4, 4, 1)), jnp.float32)

    def penalty(scale):
        return adversarial.r1(lambda x: scale * jnp.sum(x, axis=(1, 2, 3)), images)

    np.testing.assert_allclose(jax.grad(penalty)(jnp.asarray(3.0)), 2 * 3.0 * 16)


def test_lecam_follows_its_definition_and_leaves_its_averages_alone():
    averages = jnp.asarray(0.3), jnp.asarray(-0.2)
    found = adversarial.lecam(jnp.asarray(REAL), jnp.asarray(FAKE), *averages)
    real, fake = REAL.astype(np.float64), FAKE.astype(np.float64)
    expected = (np.maximum(real + 0.2, 0) ** 2).mean()
    expected += (np.maximum(0.3 - fake, 0) ** 2).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    grads = jax.grad(adversarial.lecam, argnums=(2, 3))(
        jnp.asarray(REAL), jnp.asarray(FAKE), *averages
    )
    assert grads == (0.0, 0.0)


@pytest.mark.parametrize(
    ("choice", "expected"), [("image_mean", (3.0, 0.0)), ("batch_mean", (1.5,))]
)
def test_lecam_may_take_the_mean_logit_of_an_image_or_of_the_batch(choice, expected):
    logits = jnp.asarray([[[1.0, 5.0]], [[-4.0, 4.0]]])  # two patches an image
    np.testing.assert_array_equal(adversarial.LECAM_LOGITS[choice](logits), expected)
    assert adversarial.LECAM_LOGITS["each"](logits) is logits


def test_the_objective_reduces_logits_before_lecam():
    objective = AdversarialObjective(**{**ADVERSARIAL, "lecam_logits": "batch_mean"})
    logits, averages = jnp.asarray([-2.0, 6.0]), {"real": 1.0, "fake": -1.0}
    averages = {name: jnp.asarray(value) for name, value in averages.items()}
    # The means are 2: relu(2 + 1)² + relu(1 - 2)², where each logit would add more.
    np.testing.assert_allclose(objective.lecam(logits, logits, averages), 9.0)


def test_the_adaptive_weight_is_a_ratio_of_norms_within_its_clamp():
    image, against = jnp.full((2, 2), 3.0), jnp.full((2, 2), 0.5)
    weigh = adversarial.adaptive_weight
    found = weigh(image, against, max_weight=1e4)
    np.testing.assert_allclose(found, 6.0 / (1.0 + 1e-4), rtol=1e-6)
    assert weigh(image, jnp.zeros((2, 2)), max_weight=1e4) == 1e4
    assert weigh(image, against, max_weight=2.0) == 2.0
    assert weigh(jnp.zeros((2, 2)), against, min_weight=0.1, max_weight=2.0) == 0.1
    grad = jax.grad(lambda x: weigh(x, against, max_weight=1e4))(image)
    np.testing.assert_array_equal(grad, 0.0)


def test_the_adaptive_weight_is_float32_whatever_it_sees():
    tiny = jnp.full((8,), 1e-3, jnp.bfloat16)
    found = adversarial.adaptive_weight(tiny, tiny, max_weight=10.0)
    assert found.dtype == jnp.float32
    norm = np.linalg.norm(np.asarray(tiny, np.float64))
    np.testing.assert_allclose(found, norm / (norm + 1e-4), rtol=1e-5)
