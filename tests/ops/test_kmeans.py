import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops.kmeans import kmeans
from vq_jax.testing import reference


def _lloyd(z: np.ndarray, codes: np.ndarray, iterations: int) -> np.ndarray:
    """Lloyd's iterations: each code becomes the mean of the vectors nearest to it.

    A code without vectors keeps its value.
    """
    z, codes = np.float64(z), np.float64(codes)
    for _ in range(iterations):
        nearest = reference.nearest_code(z, codes)
        codes = codes.copy()
        for k in np.unique(nearest):
            codes[k] = z[nearest == k].mean(axis=0)
    return codes


def _vectors(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def _inertia(z, codes):
    nearest = reference.nearest_code(z, codes)
    return np.sum((np.float64(z) - np.float64(codes)[nearest]) ** 2)


@pytest.mark.parametrize("iterations", [1, 4])
def test_it_is_lloyds_algorithm_from_vectors_of_the_data(iterations):
    z = _vectors(0, 60, 3)
    start = np.asarray(kmeans(z, 7, jax.random.key(1), iterations=0))
    assert {tuple(row) for row in start} <= {tuple(row) for row in np.asarray(z)}
    found = kmeans(z, 7, jax.random.key(1), iterations=iterations)
    expected = _lloyd(np.asarray(z), start, iterations)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert _inertia(np.asarray(z), np.asarray(found)) < _inertia(np.asarray(z), start)


def test_it_finds_clusters_that_lie_apart():
    z = np.repeat(10.0 * np.eye(4, dtype=np.float32), 50, axis=0)
    z = z + 0.1 * np.asarray(_vectors(0, 200, 4))
    # As many codes as make it likely that each cluster gets one to start with.
    found = np.asarray(kmeans(jnp.asarray(z), 16, jax.random.key(1)))
    assert (
        np.abs(found[:, None] - 10.0 * np.eye(4)).max(axis=-1).min(axis=0).max() < 0.2
    )
    assert _inertia(z, found) < 200 * 4 * 0.1**2


def test_a_cluster_without_vectors_stays():
    # Five equal vectors: the lowest of the codes on them takes them all. It and the
    # outlier's code are means of what they hold; the others hold nothing.
    z = jnp.asarray([[2.0, 3.0]] * 5 + [[50.0, 60.0]])
    found = kmeans(z, 6, jax.random.key(0), iterations=3)
    rows, counts = np.unique(np.asarray(found), axis=0, return_counts=True)
    np.testing.assert_array_equal(rows, [[2.0, 3.0], [50.0, 60.0]])
    np.testing.assert_array_equal(counts, [5, 1])


def test_fewer_vectors_than_codes_are_all_codes_and_their_repeats_differ():
    z = _vectors(0, 3, 3)
    found = np.asarray(kmeans(z, 8, jax.random.key(1)))
    assert {tuple(row) for row in np.asarray(z)} <= {tuple(row) for row in found}
    assert len(np.unique(found, axis=0)) == 8
    nearest = np.asarray(z)[reference.nearest_code(found, np.asarray(z))]
    assert np.abs(found - nearest).max() < 0.1
