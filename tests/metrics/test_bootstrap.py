"""Intervals have the width that drawing new images would show."""

import numpy as np
import pytest

from vq_jax.metrics.bootstrap import interval
from vq_jax.metrics.frechet import frechet_distance
from vq_jax.metrics.kid import kernel_distance


def sets(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(400, 6)), 1.4 * rng.normal(size=(100, 6)) + 0.4


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_the_interval_is_as_wide_as_new_sets_are_apart(distance, order):
    # The set of few images has most of the spread.
    values = [distance(*sets(seed)[::order])[0] for seed in range(300)]
    widths = []
    for seed in range(20):
        value, *influences = distance(*sets(seed)[::order])
        low, high = interval(value, influences)
        assert low < value < high
        widths.append(high - low)
    # 300 deviations are known to 4 %; the interval of a normal law is 3.92 of them.
    np.testing.assert_allclose(np.mean(widths), 3.92 * np.std(values), rtol=0.15)


def test_of_a_mean_it_is_the_bootstrap_of_the_mean():
    x = np.random.default_rng(0).exponential(size=100)
    low, high = interval(x.mean(), [x - x.mean()])
    rng = np.random.default_rng(1)
    means = x[rng.integers(0, 100, (20_000, 100))].mean(axis=1)
    np.testing.assert_allclose(
        [low, high], np.percentile(means, [2.5, 97.5]), rtol=0.04
    )


def test_the_seed_decides():
    x = np.random.default_rng(0).normal(size=50)
    assert interval(0.0, [x], seed=1) == interval(0.0, [x], seed=1)
    assert interval(0.0, [x], seed=1) != interval(0.0, [x], seed=2)
