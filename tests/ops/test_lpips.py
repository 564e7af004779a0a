import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import lpips
from vq_jax.ops.folded_columns import fold
from vq_jax.testing.convolutions import draw

RNG = np.random.default_rng(0)
A, B = (RNG.normal(size=(2, 3, 4, 5)).astype(np.float32) for _ in range(2))
WEIGHTS = np.abs(RNG.normal(size=5)).astype(np.float32)


def _definition(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    a /= np.sqrt((a**2).sum(-1, keepdims=True)) + 1e-10
    b /= np.sqrt((b**2).sum(-1, keepdims=True)) + 1e-10
    return (a - b) ** 2 @ WEIGHTS.astype(np.float64)


def test_the_distance_follows_its_definition():
    found = lpips.feature_distance(*map(jnp.asarray, (A, B, WEIGHTS)))
    np.testing.assert_allclose(found, _definition(A, B), rtol=1e-5)


def test_standardising_is_imagenets_on_images_in_minus_one_to_one():
    images = jnp.asarray(RNG.uniform(0, 1, (1, 2, 2, 3)), jnp.float32)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    found = lpips.standardise(2 * images - 1)
    np.testing.assert_allclose(found, (np.asarray(images) - mean) / std, atol=1e-5)


def _differentiated(a, b, weights):
    """The definition, for JAX to differentiate; not at vectors of zeros."""
    unit_a, unit_b = (
        x / (jnp.linalg.norm(x, axis=-1, keepdims=True) + 1e-10) for x in (a, b)
    )
    return jnp.square(unit_a - unit_b) @ weights


def _of_pairs(a, b, weights):
    return lpips._distance(fold(a), fold(b), weights, 2)


@pytest.mark.parametrize("form", [lpips.feature_distance, _of_pairs])
# Of vectors about as long as the constant that is added to their norm, too.
@pytest.mark.parametrize("length", [1.0, 1e-10])
def test_gradients_reach_both_images_and_the_weights(form, length):
    args = (length * jnp.asarray(A), jnp.asarray(B), jnp.asarray(WEIGHTS))
    found, vjp = jax.vjp(form, *args)
    expected, expected_vjp = jax.vjp(_differentiated, *args)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    cotangent = draw(expected.shape, 3)
    for ours, theirs in zip(vjp(cotangent), expected_vjp(cotangent), strict=True):
        largest = np.abs(theirs).max()
        np.testing.assert_allclose(ours / largest, theirs / largest, atol=1e-6)


@pytest.mark.parametrize("form", [lpips.feature_distance, _of_pairs])
def test_empty_features_stay_empty_and_pass_no_gradient(form):
    b, weights = jnp.asarray(B), jnp.asarray(WEIGHTS)
    empty = jnp.asarray(A).at[0, 1, 2].set(0.0)
    distance, vjp = jax.vjp(form, empty, b, weights)
    unit = B[0, 1, 2] / np.linalg.norm(B[0, 1, 2])
    np.testing.assert_allclose(distance[0, 1, 2], WEIGHTS @ unit**2, rtol=1e-5)
    of_a, of_b, of_weights = vjp(jnp.ones_like(distance))
    np.testing.assert_array_equal(of_a[0, 1, 2], 0.0)
    assert np.all(of_a[0, 1, 1] != 0.0)
    assert np.isfinite(of_b).all()
    assert np.isfinite(of_weights).all()


def test_bfloat16_features_are_compared_in_float32():
    a, b = (jnp.asarray(x).astype(jnp.bfloat16) for x in (A, B))
    found = lpips.feature_distance(a, b, jnp.asarray(WEIGHTS))
    assert found.dtype == jnp.float32
    expected = _definition(*(np.asarray(x, np.float32) for x in (a, b)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
