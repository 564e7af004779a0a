"""Swish: its values, its gradients, and what they keep."""

import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.ops.swish import swish

X = np.concatenate(
    [np.linspace(-200, 200, 4_001), np.linspace(-5, 5, 1_001), [1e13, 1e30]]
)


def _sigmoid(x):
    return np.exp(-np.logaddexp(0.0, -x))


def _derivative(x):
    """Of x σ(x), in float64."""
    return _sigmoid(x) * (1 + x * _sigmoid(-x))


def _gradient(x):
    return jax.grad(lambda x: swish(x).sum())(x)


def test_values_and_gradients_are_those_of_the_definition():
    x = jnp.asarray(X, jnp.float32)
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(swish(x), exact * _sigmoid(exact), 1e-6, 1e-7)
    np.testing.assert_allclose(_gradient(x), _derivative(exact), 1e-5, 1e-6)


def test_gradients_lose_no_digits_where_they_are_small():
    x = jnp.linspace(-30.0, -3.0, 1_000)
    exact = _derivative(np.asarray(x, np.float64))
    np.testing.assert_allclose(_gradient(x), exact, 1e-5)


def test_bfloat16_has_the_values_and_gradients_of_jax_s_own():
    x = jnp.asarray(X, jnp.bfloat16)
    plain = jax.grad(lambda x: jax.nn.swish(x).sum())(x)
    assert swish(x).dtype == _gradient(x).dtype == jnp.bfloat16
    np.testing.assert_array_equal(swish(x), jax.nn.swish(x))
    np.testing.assert_array_equal(_gradient(x), plain)


def test_gradients_can_be_differentiated_again():
    x = jnp.linspace(-6.0, 6.0, 101)
    plain = jax.vmap(jax.grad(jax.grad(jax.nn.swish)))(x)
    found = jax.vmap(jax.grad(lambda x: jax.grad(swish)(x)))(x)
    np.testing.assert_allclose(found, plain, 1e-4, 1e-6)


def test_x_is_all_that_is_saved():
    x = jnp.ones((3, 5))
    _, gradient = jax.vjp(swish, x)
    (saved,) = jax.tree.leaves(gradient)
    assert saved.shape == x.shape
    assert saved.dtype == x.dtype
