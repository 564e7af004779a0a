import numpy as np
import pytest

from vq_jax.errors import InputError
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
