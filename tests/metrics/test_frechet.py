"""The Fréchet distance is its definition, whatever the number of images."""

import numpy as np
import pytest
from scipy import linalg

from vq_jax.errors import InputError
from vq_jax.metrics.frechet import frechet_distance


def features(seed, count, dim, *, scale=1.0, shift=0.0):
    """Of a law with correlated features, whose mixing depends on `dim` alone."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(dim, dim)) / np.sqrt(dim)
    return scale * rng.normal(size=(count, dim)) @ mixing + shift


def definition(x, y, weights=None):
    """In float64, of covariances and eigenvalues; `weights` of x add up to 1."""
    count = len(x)
    weights = np.full(count, 1.0 / count) if weights is None else weights
    mean = weights @ x
    covariance = (x - mean).T @ ((x - mean) * weights[:, None]) * count / (count - 1)
    other = np.cov(y, rowvar=False)
    roots = np.sqrt(np.clip(linalg.eigvals(covariance @ other).real, 0.0, None)).sum()
    step = mean - y.mean(axis=0)
    return step @ step + np.trace(covariance) + np.trace(other) - 2.0 * roots


@pytest.mark.parametrize("counts", [(50, 60), (5, 7), (8, 8), (9, 8), (5, 40), (40, 5)])
def test_it_is_its_definition(counts):
    x = features(0, counts[0], 8)
    y = features(1, counts[1], 8, scale=1.5, shift=0.3)
    value, *_ = frechet_distance(x, y)
    # Roots of eigenvalues that should be 0 are what the definition gets wrong.
    np.testing.assert_allclose(value, definition(x, y), rtol=1e-6)


def test_it_is_that_of_the_matrix_root():
    x, y = features(0, 50, 6), features(1, 40, 6, scale=2.0)
    product = np.cov(x, rowvar=False) @ np.cov(y, rowvar=False)
    traces = np.trace(np.cov(x, rowvar=False)) + np.trace(np.cov(y, rowvar=False))
    step = x.mean(axis=0) - y.mean(axis=0)
    wanted = step @ step + traces - 2.0 * np.trace(linalg.sqrtm(product)).real
    np.testing.assert_allclose(frechet_distance(x, y)[0], wanted, rtol=1e-9)


@pytest.mark.parametrize("count", [5, 40])
def test_a_set_is_at_distance_0_from_itself_in_any_order(count):
    x = features(0, count, 8)
    y = features(1, 20, 8)
    shuffled = np.random.default_rng(2).permutation(count)
    scale = np.trace(np.cov(x, rowvar=False))
    assert abs(frechet_distance(x, x[shuffled])[0]) < 1e-7 * scale
    np.testing.assert_allclose(
        frechet_distance(x, y)[0], frechet_distance(x[shuffled], y)[0], rtol=1e-9
    )


def test_it_is_symmetric_and_known_for_one_feature():
    x, y = features(0, 30, 1), features(1, 50, 1, scale=3.0, shift=2.0)
    deviations = x.std(ddof=1) - y.std(ddof=1)
    wanted = (x.mean() - y.mean()) ** 2 + deviations**2
    np.testing.assert_allclose(frechet_distance(x, y)[0], wanted, rtol=1e-9)
    np.testing.assert_allclose(frechet_distance(y, x)[0], wanted, rtol=1e-9)


@pytest.mark.parametrize("count", [7, 60])
def test_influences_are_its_derivatives(count):
    x, y = features(0, count, 8), features(1, 50, 8, scale=1.5, shift=0.3)
    _, found, others = frechet_distance(x, y)
    change = 1e-4
    for image in range(4):
        weights = np.full(count, (1.0 - change) / count)
        weights[image] += change
        less = np.full(count, (1.0 + change) / count)
        less[image] -= change
        slope = (definition(x, y, weights) - definition(x, y, less)) / (2 * change)
        # The influence has no factor n / (n - 1).
        np.testing.assert_allclose(found[image], slope, rtol=2.0 / count, atol=0.05)
    np.testing.assert_allclose(found.sum(), 0.0, atol=1e-9)
    np.testing.assert_allclose(others.sum(), 0.0, atol=1e-9)


def test_too_few_and_bad_features_are_errors():
    with pytest.raises(InputError, match="two or more images"):
        frechet_distance(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(InputError, match="finite"):
        frechet_distance(np.full((3, 3), np.nan), np.zeros((4, 3)))
