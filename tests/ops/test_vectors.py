import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.ops import vectors


def test_the_gradient_of_the_norm_is_the_unit_vector_and_zero_at_zero():
    x = jnp.asarray([[3.0, -4.0], [0.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(vectors.norm(x), [[5.0], [0.0], [2.0]], rtol=1e-6)
    grad = jax.grad(lambda x: jnp.sum(vectors.norm(x)))(x)
    expected = [[0.6, -0.8], [0.0, 0.0], [0.0, 1.0]]
    np.testing.assert_allclose(grad, expected, rtol=1e-6)


def test_unit_vectors_have_length_one_but_tiny_ones_do_not_blow_up():
    x = jnp.asarray([[3.0, -4.0], [0.0, 0.0], [1e-8, 0.0]])
    expected = [[0.6, -0.8], [0.0, 0.0], [0.01, 0.0]]
    np.testing.assert_allclose(vectors.unit(x), expected, rtol=1e-5)


def test_the_gradient_of_a_unit_vector_has_no_part_along_it():
    x = jax.random.normal(jax.random.key(0), (5, 4))
    g = jax.random.normal(jax.random.key(1), (5, 4))
    found = jax.grad(lambda x: jnp.sum(g * vectors.unit(x)))(x)
    x, g = np.asarray(x, np.float64), np.asarray(g, np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / length
    expected = (g - unit * np.sum(unit * g, axis=1, keepdims=True)) / length
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_unit_vectors_of_bfloat16_are_float32():
    x = jnp.asarray([[1.0, 2.0, 2.0]], jnp.bfloat16)
    found = vectors.unit(x)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3, 2 / 3]], rtol=1e-6)
