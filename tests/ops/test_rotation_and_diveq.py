import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.ops import estimators, vectors


def _normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def test_the_rotation_trick_has_the_value_of_the_code_and_the_papers_gradient():
    z, z_q, g = (_normal(i, 9, 4) for i in range(3))
    np.testing.assert_array_equal(jax.jit(estimators.rotation_trick)(z, z_q), z_q)
    found = jax.grad(lambda z: jnp.sum(g * estimators.rotation_trick(z, z_q)))(z)
    z64, q64, g64 = (np.asarray(x, np.float64) for x in (z, z_q, g))
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    e, q = unit(z64), unit(q64)
    w = unit(e + q)
    dot = lambda a, b: (a * b).sum(1, keepdims=True)  # noqa: E731
    scale = np.linalg.norm(q64, axis=1, keepdims=True)
    scale = scale / np.linalg.norm(z64, axis=1, keepdims=True)
    expected = scale * (g64 - 2 * w * dot(w, g64) + 2 * e * dot(q, g64))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_rotation_is_one_and_turns_z_into_the_code():
    z, z_q = _normal(0, 1, 4), _normal(1, 1, 4)
    jacobian = jax.jacobian(lambda z: estimators.rotation_trick(z, z_q)[0])(z)[:, 0]
    scale = np.linalg.norm(z_q) / np.linalg.norm(z)
    rotation = np.asarray(jacobian) / scale
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(4), atol=1e-5)
    np.testing.assert_allclose(jacobian @ z[0], z_q[0], rtol=1e-4, atol=1e-5)


def test_the_rotation_trick_is_finite_at_zero_and_at_the_opposite():
    z = jnp.asarray([[0.0, 0.0], [1.0, -2.0], [1.0, 2.0]])
    z_q = jnp.asarray([[1.0, 1.0], [-1.0, 2.0], [0.0, 0.0]])
    grad = jax.grad(lambda z: jnp.sum(estimators.rotation_trick(z, z_q)))(z)
    assert np.all(np.isfinite(grad))


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


def test_the_norm_of_zero_has_gradient_zero():
    grad = jax.grad(lambda x: vectors.norm(x)[0, 0])(jnp.zeros((1, 3)))
    np.testing.assert_array_equal(grad, np.zeros((1, 3)))
