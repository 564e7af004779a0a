import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.ops import lpips

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


def test_empty_features_stay_empty_and_pass_no_gradient():
    empty = jnp.zeros((1, 2, 2, 5))
    np.testing.assert_array_equal(lpips.unit_normalise(empty), 0.0)
    grad = jax.grad(
        lambda x: jnp.sum(
            lpips.feature_distance(x, jnp.asarray(B[:1, :2, :2]), jnp.asarray(WEIGHTS))
        )
    )(empty)
    np.testing.assert_array_equal(grad, 0.0)


def test_bfloat16_features_are_compared_in_float32():
    a, b = (jnp.asarray(x).astype(jnp.bfloat16) for x in (A, B))
    found = lpips.feature_distance(a, b, jnp.asarray(WEIGHTS))
    assert found.dtype == jnp.float32
    expected = _definition(*(np.asarray(x, np.float32) for x in (a, b)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
