"""KID is its definition, and unbiased."""

import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.metrics import kid
from vq_jax.metrics.kid import kernel_distance


def features(seed, count, dim=4, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1.0, (count, dim))


def definition(x, y):
    """Sums over pairs, in float64."""

    def kernel(a, b):
        return (a @ b / len(a) + 1.0) ** 3

    def within(x):
        pairs = [(i, j) for i in range(len(x)) for j in range(len(x)) if i != j]
        return np.mean([kernel(x[i], x[j]) for i, j in pairs])

    return within(x) + within(y) - 2.0 * np.mean([kernel(a, b) for a in x for b in y])


@pytest.mark.parametrize("rows", [3, 1_000])
def test_it_is_its_definition_in_blocks_of_any_size(rows, monkeypatch):
    monkeypatch.setattr(kid, "ROWS", rows)
    x, y = features(0, 10), features(1, 7, shift=0.5)
    value, *_ = kernel_distance(x, y)
    np.testing.assert_allclose(value, definition(x, y), rtol=1e-5)
    shuffled = np.random.default_rng(2).permutation(10)
    np.testing.assert_allclose(kernel_distance(x[shuffled], y)[0], value, rtol=1e-5)


def test_sets_of_one_law_are_at_distance_0_on_average():
    found = [
        kernel_distance(features(2 * i, 20), features(2 * i + 1, 20))[0]
        for i in range(400)
    ]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3.0 * error
    assert np.min(found) < 0.0


def test_its_expectation_does_not_depend_on_the_number_of_images():
    few, many = (
        [
            kernel_distance(features(2 * i, n), features(2 * i + 1, n, shift=0.5))[0]
            for i in range(300)
        ]
        for n in (5, 40)
    )
    error = np.hypot(np.std(few), np.std(many)) / np.sqrt(300)
    assert abs(np.mean(few) - np.mean(many)) < 3.0 * error


def test_one_image_is_too_few():
    with pytest.raises(InputError, match="two or more images of each set, got 1 and 3"):
        kernel_distance(np.zeros((1, 2)), np.zeros((3, 2)))
