"""Swish: its values, its gradients, and what they keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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


def test_bfloat16_stays_so():
    x = jnp.asarray(X, jnp.bfloat16)
    exact = np.asarray(x, np.float64)
    found = _gradient(x)
    assert swish(x).dtype == found.dtype == jnp.bfloat16
    # A few roundings of up to 0.004 each; `jax.nn.swish` is up to 0.017 off.
    np.testing.assert_allclose(found.astype(jnp.float32), _derivative(exact), 0, 0.013)


def test_gradients_can_be_differentiated_again():
    x = jnp.linspace(-6.0, 6.0, 101)
    plain = jax.vmap(jax.grad(jax.grad(jax.nn.swish)))(x)
    found = jax.vmap(jax.grad(lambda x: jax.grad(swish)(x)))(x)
    np.testing.assert_allclose(found, plain, 1e-4, 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_x_is_all_that_is_saved(dtype):
    x = jnp.ones((3, 5), dtype)
    _, gradient = jax.vjp(swish, x)
    (saved,) = jax.tree.leaves(gradient)
    assert saved.shape == x.shape
    assert saved.dtype == x.dtype
