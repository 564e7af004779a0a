"""Gram matrices and relative distances against their definitions, in float64."""

import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.ops import gram

RNG = np.random.default_rng(0)
A, B = (RNG.normal(size=(2, 3, 5, 4)).astype(np.float32) for _ in range(2))


def _gram(features):
    """Σ over positions of f_i f_j, over their number, pair by pair."""
    count, height, width, channels = features.shape
    found = np.zeros((count, channels, channels))
    for b, i, j in np.ndindex(found.shape):
        product = np.float64(features[b, ..., i]) * np.float64(features[b, ..., j])
        found[b, i, j] = product.sum() / (height * width)
    return found


def test_a_gram_matrix_is_the_mean_product_of_channels():
    found = gram.gram_matrix(jnp.asarray(A))
    np.testing.assert_allclose(found, _gram(A), rtol=1e-5, atol=1e-6)


def test_places_and_sizes_do_not_count():
    rows = A.reshape(2, 15, 4)
    shuffled = rows[:, RNG.permutation(15)].reshape(2, 5, 3, 4)
    twice = np.concatenate([A, A], axis=2)
    wanted = gram.gram_matrix(jnp.asarray(A))
    for other in (shuffled, twice):
        found = gram.gram_matrix(jnp.asarray(other))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_distance_is_relative_to_both():
    a, b = np.float64(A), np.float64(B)
    axes = (1, 2, 3)
    wanted = ((a - b) ** 2).sum(axes) / ((a**2).sum(axes) + (b**2).sum(axes))
    both = jnp.asarray(A), jnp.asarray(B)
    np.testing.assert_allclose(gram.relative_distance(*both), wanted, rtol=1e-5)
    scaled = gram.relative_distance(100 * both[0], 100 * both[1])
    np.testing.assert_allclose(scaled, wanted, rtol=1e-5)


def test_the_distance_ends_at_0_and_1_and_has_gradients_there():
    a = jnp.asarray([[1.0, 0.0]])
    ends = [(a, a, 0.0), (a, a[:, ::-1], 1.0), (0 * a, 0 * a, 0.0), (0 * a, a, 1.0)]
    for x, y, wanted in ends:
        found, grads = jax.value_and_grad(
            lambda x, y: gram.relative_distance(x, y).sum(), argnums=(0, 1)
        )(x, y)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        assert np.isfinite(np.asarray(grads)).all()
