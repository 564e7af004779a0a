"""Values and gradients of the group norm are those of its definition in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from vq_jax.ops.group_norm import (
    group_norm,
    moments_after_shift,
    moments_by_row,
)

GROUPS, EPSILON = 3, 1e-3


def _inputs(mean=0.0, shape=(2, 5, 4, 6)):
    rng = np.random.default_rng(0)
    x = mean + rng.normal(size=shape)
    scale, bias = rng.normal(size=(2, shape[0], shape[-1]))
    return np.float32(x), np.float32(scale), np.float32(bias)


def _definition(x, scale, bias, num_groups=GROUPS, epsilon=EPSILON):
    grouped = x.reshape(*x.shape[:3], num_groups, -1)
    mean = grouped.mean((1, 2, 4), keepdims=True)
    variance = jnp.square(grouped - mean).mean((1, 2, 4), keepdims=True)
    normed = ((grouped - mean) / jnp.sqrt(variance + epsilon)).reshape(x.shape)
    return normed * scale[:, None, None] + bias[:, None, None]


def _ours(x, scale, bias, num_groups=GROUPS, epsilon=EPSILON):
    options = {"num_groups": num_groups, "epsilon": epsilon, "dtype": "float32"}
    return group_norm(*map(jnp.asarray, (x, scale, bias)), **options)


def _in_float64(function, *args):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, function(*jax.tree.map(np.float64, args)))


def _assert_close(found, expected, tolerance):
    """To `tolerance` times the largest value of each array."""
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, 0, tolerance * np.abs(other).max())


def _shifted_definition(x, shift, scale, bias):
    return _definition(x + shift[:, None, None], scale, bias)


def _ours_shifted(x, shift, scale, bias):
    options = {"num_groups": GROUPS, "epsilon": EPSILON, "dtype": "float32"}
    x, shift, scale, bias = map(jnp.asarray, (x, shift, scale, bias))
    return group_norm(x, scale, bias, shift=shift, **options)


@pytest.mark.parametrize(("size", "tolerance"), [(1.0, 4e-6), (100.0, 1e-4)])
def test_a_shift_and_its_gradient_are_those_of_a_bias_added_before(size, tolerance):
    x, scale, bias = _inputs()
    shift = np.float32(size * np.random.default_rng(1).normal(size=scale.shape))
    args = (x, shift, scale, bias)
    expected = _in_float64(_shifted_definition, *args)
    _assert_close(_ours_shifted(*args), expected, tolerance)
    expected = _in_float64(_gradients(_shifted_definition, 4), *args)
    _assert_close(_gradients(_ours_shifted, 4)(*args), expected, tolerance)


@pytest.mark.parametrize("num_groups", [1, 3, 6])
@pytest.mark.parametrize(("mean", "tolerance"), [(0.0, 1e-6), (100.0, 3e-5)])
def test_values_are_those_of_the_definition(num_groups, mean, tolerance):
    # A mean of 100 leaves x itself 2 digits less.
    args = _inputs(mean)
    expected = _in_float64(lambda *a: _definition(*a, num_groups), *args)
    _assert_close(_ours(*args, num_groups), expected, tolerance)


def test_a_first_row_unlike_all_others_costs_few_digits():
    x, scale, bias = _inputs(shape=(2, 64, 8, 6))
    x[:, 0] += 1e4
    expected = _in_float64(_definition, x, scale, bias)
    _assert_close(_ours(x, scale, bias), expected, 1e-5)


def _gradients(function, num_arguments=3):
    def loss(*args):
        return jnp.sum(jnp.sin(function(*args)))

    return jax.grad(loss, argnums=tuple(range(num_arguments)))


@pytest.mark.parametrize("platform", ["cpu", "default"])
@pytest.mark.parametrize(("mean", "tolerance"), [(0.0, 4e-6), (100.0, 1e-4)])
def test_gradients_are_those_of_the_definition(mean, tolerance, platform, monkeypatch):
    # The form for a platform is chosen here, since there are CPUs only.
    monkeypatch.setattr(lax, "platform_dependent", lambda **forms: forms[platform]())
    args = _inputs(mean)
    expected = _in_float64(_gradients(_definition), *args)
    _assert_close(_gradients(_ours)(*args), expected, tolerance)


def test_a_penalty_of_gradients_has_gradients():
    def penalty(function):
        def squares(*args):
            grad = jax.grad(lambda *args: jnp.sum(jnp.sin(function(*args))))(*args)
            return jnp.sum(jnp.square(grad))

        return jax.grad(squares, argnums=(0, 1, 2, 3))

    x, scale, bias = _inputs()
    shift = np.float32(np.random.default_rng(1).normal(size=scale.shape))
    args = (x, shift, scale, bias)
    expected = _in_float64(penalty(_shifted_definition), *args)
    _assert_close(penalty(_ours_shifted)(*args), expected, 1e-5)


def test_what_is_saved_for_the_gradient_is_x_as_it_came():
    x, scale, bias = _inputs()
    x = jnp.asarray(x, jnp.bfloat16)
    _, gradient = jax.vjp(_ours, x, scale, bias)
    saved = [leaf for leaf in jax.tree.leaves(gradient) if leaf.size >= x.size]
    assert [leaf.dtype for leaf in saved] == [jnp.bfloat16]
    assert gradient(jnp.zeros(x.shape))[0].dtype == jnp.bfloat16


@pytest.mark.parametrize("mean", [0.0, 10.0, 1000.0])
def test_moments_by_row_lose_far_less_than_bfloat16_has_lost(mean):
    exact = mean + np.random.default_rng(0).normal(size=(4, 64, 64, 8))
    x = jnp.asarray(exact, jnp.bfloat16)
    rounded = np.asarray(x).astype(np.float64)
    expected = rounded.var((1, 2))
    lost = np.abs(exact.var((1, 2)) - expected).max()
    found_mean, found = moments_by_row(x)
    np.testing.assert_allclose(found_mean, rounded.mean((1, 2)), 1e-6, 1e-6)
    np.testing.assert_allclose(found, expected, 0, 0.05 * lost)


@pytest.mark.parametrize("moments", [moments_by_row, moments_after_shift])
def test_an_image_of_one_value_has_no_variance(moments):
    x = jnp.full((1, 7, 11, 3), 99.5, jnp.bfloat16)
    mean, variance = moments(x)
    np.testing.assert_allclose(mean, 99.5, 1e-6)
    np.testing.assert_allclose(variance, 0.0, atol=99.5**2 * 1e-6)
    assert (variance >= 0.0).all()
