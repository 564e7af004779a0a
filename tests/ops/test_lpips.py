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


@pytest.mark.parametrize("form", [lpips.feature_distance, _of_pairs])
def test_equal_features_are_at_distance_0_with_gradient_0(form):
    @jax.jit
    def distance_and_gradients(a, b):
        distance, vjp = jax.vjp(form, a, b, jnp.asarray(WEIGHTS))
        return distance, vjp(jnp.ones_like(distance))

    x = draw((2, 40, 40, 5), 4)
    for found in jax.tree.leaves(distance_and_gradients(x, x)):
        np.testing.assert_array_equal(found, 0.0)


@pytest.mark.parametrize("form", [lpips.feature_distance, _of_pairs])
@pytest.mark.parametrize("length", [1e-30, 1e-19, 1e19, 1e30])
def test_gradients_are_finite_where_squares_are_not(form, length):
    a, b = (length * jnp.asarray(x) for x in (A, B))
    distance, vjp = jax.vjp(form, a, b, jnp.asarray(WEIGHTS))
    for gradient in (distance, *vjp(jnp.ones_like(distance))):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("form", [lpips.feature_distance, _of_pairs])
def test_bfloat16_features_are_compared_in_float32(form):
    a, b = (jnp.asarray(x).astype(jnp.bfloat16) for x in (A, B))
    weights = jnp.asarray(WEIGHTS)
    with jax.numpy_dtype_promotion("strict"):
        found, vjp = jax.vjp(form, a, b, weights)
        gradients = vjp(jnp.ones_like(found))
    assert found.dtype == jnp.float32
    wide = [x.astype(jnp.float32) for x in (a, b)]
    expected = _definition(*map(np.asarray, wide))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    of_wide = jax.vjp(form, *wide, weights)[1](jnp.ones_like(found))
    for ours, theirs in zip(gradients[:2], of_wide[:2], strict=True):
        np.testing.assert_array_equal(ours, theirs.astype(jnp.bfloat16))


@pytest.mark.parametrize(
    ("platform", "shape", "folds"),
    [
        ("tpu", (2, 3, 4, 5), True),
        ("tpu", (2, 3, 5, 5), False),
        ("tpu", (2, 3, 4, 65), False),
        ("cpu", (2, 3, 4, 5), False),
    ],
)
def test_narrow_features_are_compared_in_pairs_on_tpus(platform, shape, folds):
    args = (jnp.zeros(shape), jnp.zeros(shape), jnp.zeros(shape[-1]))
    traced = jax.jit(lpips.feature_distance).trace(*args)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    batch, height, width, channels = shape
    assert (f"{batch}x{height}x{width // 2}x{2 * channels}xf32" in text) == folds
