import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import estimators, vectors


def _unit(x: np.ndarray) -> np.ndarray:
    """x / ‖x‖ over the last axis; lengths below 1e-6 count as 1e-6."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)


def _rotation_gradient(z: np.ndarray, z_q: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Gradient of the rotation trick for the cotangent g (2410.06424, sec. 4.2).

    λ(g - 2w(w·g) + 2ẑ(q̂·g)), w = _unit(ẑ + q̂), λ = ‖z_q‖/‖z‖.
    """
    z, z_q, g = np.float64(z), np.float64(z_q), np.float64(g)
    source, target = _unit(z), _unit(z_q)
    between = _unit(source + target)
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (z, z_q)]
    scale = lengths[1] / np.maximum(lengths[0], 1e-6)
    between_g = np.sum(between * g, axis=-1, keepdims=True)
    target_g = np.sum(target * g, axis=-1, keepdims=True)
    return scale * (g - 2 * between * between_g + 2 * source * target_g)


def _diveq(z: np.ndarray, z_q: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """DiVeQ's value z + ‖z_q - z‖ · direction, for a given direction (2509.26469)."""
    return z + np.linalg.norm(z_q - z, axis=-1, keepdims=True) * direction


def _normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def _gradients(estimator, z, z_q, g):
    loss = lambda z, z_q: jnp.sum(g * estimator(z, z_q))  # noqa: E731
    return jax.jit(jax.grad(loss, argnums=(0, 1)))(z, z_q)


def test_the_rotation_trick_has_the_value_of_the_code_and_the_papers_gradient():
    z, z_q, g = (_normal(i, 9, 4) for i in range(3))
    np.testing.assert_array_equal(jax.jit(estimators.rotation_trick)(z, z_q), z_q)
    to_z, to_code = _gradients(estimators.rotation_trick, z, z_q, g)
    expected = _rotation_gradient(*map(np.asarray, (z, z_q, g)))
    np.testing.assert_allclose(to_z, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(to_code, np.zeros((9, 4)))


def test_the_rotation_is_one_and_turns_z_into_the_code():
    z, z_q = _normal(0, 1, 4), _normal(1, 1, 4)
    turn = jax.jacobian(lambda z: estimators.rotation_trick(z, z_q)[0])
    jacobian = jax.jit(turn)(z)[:, 0]
    scale = np.linalg.norm(z_q) / np.linalg.norm(z)
    rotation = np.asarray(jacobian) / scale
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(4), atol=1e-5)
    np.testing.assert_allclose(jacobian @ z[0], z_q[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("z", "z_q"),
    [
        ([0.0, 0.0], [1.0, 1.0]),  # no direction to turn from
        ([1.0, -2.0], [-1.0, 2.0]),  # opposite: no plane to turn in
        ([1.0, 2.0], [0.0, 0.0]),  # no direction to turn to
        ([0.0, 0.0], [0.0, 0.0]),
        ([1e-9, 0.0], [3.0, 4.0]),  # shorter than the bound on lengths
    ],
)
def test_the_rotation_trick_keeps_its_formula_where_no_rotation_exists(z, z_q):
    z, z_q, g = jnp.asarray([z]), jnp.asarray([z_q]), jnp.asarray([[1.5, -0.5]])
    np.testing.assert_array_equal(estimators.rotation_trick(z, z_q), z_q)
    to_z, _ = _gradients(estimators.rotation_trick, z, z_q, g)
    expected = _rotation_gradient(*map(np.asarray, (z, z_q, g)))
    assert np.all(np.isfinite(expected))
    np.testing.assert_allclose(to_z, expected, rtol=1e-4, atol=1e-5)


def test_diveq_keeps_the_distance_whatever_the_noise():
    z, z_q = _normal(0, 9, 4), _normal(1, 9, 4)
    np.testing.assert_allclose(
        estimators.diveq(z, z_q, jnp.zeros_like(z)), z_q, rtol=1e-5, atol=1e-6
    )
    noisy = estimators.diveq(z, z_q, _normal(2, 9, 4))
    assert not np.allclose(noisy, z_q, atol=1e-2)
    np.testing.assert_allclose(
        vectors.norm(noisy - z), vectors.norm(z_q - z), rtol=1e-5
    )


@pytest.mark.parametrize("noise_scale", [0.0, 0.5])
def test_diveq_has_the_gradients_of_its_formula_with_the_direction_held(noise_scale):
    z, z_q, g = (_normal(i, 3, 4) for i in range(3))
    noise = noise_scale * _normal(3, 3, 4)
    z64, code64, g64 = (np.asarray(x, np.float64) for x in (z, z_q, g))
    direction = _unit(code64 - z64 + np.float64(noise))

    def loss(z, z_q):
        return np.sum(g64 * _diveq(z, z_q, direction))

    def slopes(of, step=1e-6):
        slopes = np.zeros(z64.size)
        for i in range(z64.size):
            move = step * np.eye(z64.size)[i].reshape(z64.shape)
            slopes[i] = of(move) - of(-move)
        return slopes.reshape(z64.shape) / (2 * step)

    to_z, to_code = _gradients(
        lambda z, z_q: estimators.diveq(z, z_q, noise), z, z_q, g
    )
    expected = slopes(lambda move: loss(z64 + move, code64))
    np.testing.assert_allclose(to_z, expected, rtol=1e-4, atol=1e-5)
    expected = slopes(lambda move: loss(z64, code64 + move))
    np.testing.assert_allclose(to_code, expected, rtol=1e-4, atol=1e-5)


def test_diveq_on_a_code_passes_the_gradient_to_z_alone():
    z, g = _normal(0, 2, 3), _normal(1, 2, 3)
    estimator = lambda z, z_q: estimators.diveq(z, z_q, jnp.zeros_like(z))  # noqa: E731
    np.testing.assert_array_equal(estimator(z, z), z)
    to_z, to_code = _gradients(estimator, z, z, g)
    np.testing.assert_array_equal(to_z, g)
    np.testing.assert_array_equal(to_code, np.zeros((2, 3)))
