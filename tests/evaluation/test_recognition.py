import jax
import numpy as np
import pytest
from flax import linen as nn

from vq_jax.errors import InputError
from vq_jax.evaluation import classifier
from vq_jax.evaluation.recognition import Recognition, wilson


def test_bright_and_dark_images_are_told_apart_and_uniform_codes_are_not(tiny_prior):
    subject, variables, nets = tiny_prior(num_classes=2)
    evaluation = Recognition(
        subject=subject,
        where="x",
        batch_size=16,
        num_images=20,
        num_steps=12,
        train_batch_size=16,
        learning_rate=1e-2,
    )
    found = evaluation(variables, nets).metrics
    assert found["recognised_real"] == 1.0
    # The decoder is not trained: what it draws and reconstructs has no class.
    assert found["recognised_samples"] < 0.9
    assert found["recognised_samples_low"] < found["recognised_samples"]
    assert evaluation(variables, nets).metrics == found


def test_a_prior_without_classes_is_refused(tiny_prior):
    subject, *_ = tiny_prior(num_classes=0)
    with pytest.raises(InputError, match=r"x asks .*num_classes=0 has none"):
        Recognition(subject=subject, where="x")


def test_the_interval_covers_the_share_as_often_as_it_says():
    draws = np.random.default_rng(0).binomial(50, 0.9, 4_000)
    ends = np.array([wilson(count / 50, 50) for count in draws])
    covered = (ends[:, 0] <= 0.9) & (ends[:, 1] >= 0.9)
    assert 0.92 < covered.mean() < 0.98
    assert wilson(1.0, 50)[1] <= 1.0


@pytest.mark.parametrize("size", [(4, 6), (7, 5), (1, 2)])
def test_halved_maps_and_their_gradients_are_those_of_max_pooling(size):
    keys = jax.random.split(jax.random.key(0))
    x = jax.random.normal(keys[0], (2, *size, 3))

    def pooled(x):
        return nn.max_pool(x, (2, 2), (2, 2), "SAME")

    expected, pull_expected = jax.vjp(pooled, x)
    found, pull = jax.vjp(classifier.halved, x)
    np.testing.assert_array_equal(found, expected)
    cotangent = jax.random.normal(keys[1], found.shape)
    np.testing.assert_array_equal(pull(cotangent), pull_expected(cotangent))


def test_accuracy_counts_every_image_once(monkeypatch):
    monkeypatch.setattr(classifier, "JUDGED_AT_ONCE", 4)
    model = classifier.Classifier(3, (2,), 4)
    images = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 1), dtype=np.uint8)
    variables = model.init(jax.random.key(0), jax.numpy.asarray(images))
    named = np.argmax(model.apply(variables, jax.numpy.asarray(images)), axis=-1)
    labels = np.where(np.arange(11) < 8, named, (named + 1) % 3).astype(np.int32)
    assert classifier.accuracy(model, variables, images, labels) == 8 / 11
