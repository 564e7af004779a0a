import math

import pytest

from vq_jax.training import alarms
from vq_jax.training.alarms import PATIENCE, Alarms

CASES = {
    "discriminator_won": (
        alarms.of_discriminator(1e4),
        {"train/disc_accuracy": 1.0, "train/adversarial_weight": 0.1},
        {"train/disc_accuracy": 0.8, "train/adversarial_weight": 0.1},
    ),
    "weight_pinned": (
        alarms.of_discriminator(1e4),
        {"train/adaptive_weight": 1e4},
        {"train/adaptive_weight": 5e3},
    ),
    "codebook_collapsed": (
        alarms.of_codebook(1_024),
        {"train/usage": 0.01, "train/perplexity": 8.0},
        {"train/usage": 0.5, "train/perplexity": 300.0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_sign_is_told_once_it_lasts_and_again_after_it_had_gone(name):
    signs, bad, good = CASES[name]
    watch = Alarms(signs)
    told = [set(watch.check(bad)) for _ in range(2 * PATIENCE)]
    assert told == [set()] * (PATIENCE - 1) + [{name}] + [set()] * PATIENCE
    assert not watch.check(good)
    told = [set(watch.check(bad)) for _ in range(PATIENCE)]
    assert told[-1] == {name}


@pytest.mark.parametrize("name", CASES)
def test_a_sign_that_comes_and_goes_is_not_told(name):
    signs, bad, good = CASES[name]
    watch = Alarms(signs)
    for _ in range(5):
        for metrics in (*[bad] * (PATIENCE - 1), good):
            assert not watch.check(metrics)


def test_a_discriminator_that_is_not_heard_may_win():
    watch = Alarms(alarms.of_discriminator(1e4))
    for _ in range(2 * PATIENCE):
        metrics = {"train/disc_accuracy": 1.0, "train/adversarial_weight": 0.0}
        assert not watch.check(metrics)


def test_a_fixed_weight_and_metrics_of_other_runs_raise_nothing():
    watch = Alarms({**alarms.of_discriminator(math.inf), **alarms.of_codebook(512)})
    for _ in range(2 * PATIENCE):
        assert not watch.check({"train/adaptive_weight": 1.0, "train/loss": 0.1})
