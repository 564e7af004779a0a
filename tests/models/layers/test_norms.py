import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from vq_jax.errors import InputError
from vq_jax.models.layers.norms import AdaptiveGroupNorm, GroupNorm


def _inputs(groups, width):
    rng = np.random.default_rng(0)
    # Means far from 0: a variance in one pass, E[x²] - E[x]², would lose its digits.
    x = 100.0 + rng.normal(size=(2, 5, 6, groups * width))
    scale, bias = rng.normal(size=(2, groups * width))
    params = {"scale": jnp.float32(scale), "bias": jnp.float32(bias)}
    return jnp.float32(x), {"params": params}


def _definition(x, scale, bias, groups, epsilon):
    """In float64: over height, width and the channels of a group."""
    grouped = np.float64(x).reshape(*x.shape[:3], groups, -1)
    mean = grouped.mean((1, 2, 4), keepdims=True)
    variance = grouped.var((1, 2, 4), keepdims=True)
    normed = ((grouped - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)
    scale, bias = (np.float64(row).reshape(1, 1, 1, -1) for row in (scale, bias))
    return normed * scale + bias


@pytest.mark.parametrize(("groups", "width"), [(1, 6), (3, 2), (4, 1)])
def test_group_norm_is_its_definition(groups, width):
    x, variables = _inputs(groups, width)
    found = GroupNorm(groups, epsilon=1e-3).apply(variables, x)
    expected = _definition(x, **variables["params"], groups=groups, epsilon=1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_gradients_of_group_norm_are_those_of_flax():
    x, variables = _inputs(3, 2)
    x = x - 100.0
    weights = jnp.float32(np.random.default_rng(1).normal(size=x.shape))

    def loss(module):
        return lambda variables, x: (weights * module.apply(variables, x) ** 2).sum()

    ours, theirs = GroupNorm(3, epsilon=1e-6), nn.GroupNorm(3, epsilon=1e-6)
    found = jax.grad(loss(ours), argnums=(0, 1))(variables, x)
    expected = jax.grad(loss(theirs), argnums=(0, 1))(variables, x)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4),
        found,
        expected,
    )


def test_group_norm_of_bfloat16_has_float32_statistics():
    x, variables = _inputs(3, 2)
    x = x.astype(jnp.bfloat16)
    low = GroupNorm(3, epsilon=1e-6, dtype="bfloat16").apply(variables, x)
    high = GroupNorm(3, epsilon=1e-6).apply(variables, x.astype("float32"))
    assert low.dtype == jnp.bfloat16
    np.testing.assert_array_equal(low, high.astype(jnp.bfloat16))


@pytest.mark.parametrize("num_groups", [0, 4])
def test_groups_that_do_not_divide_the_channels_are_an_error(num_groups):
    x, variables = _inputs(3, 2)
    with pytest.raises(InputError, match=f"6 channels .* num_groups={num_groups} of"):
        GroupNorm(num_groups, epsilon=1e-6).apply(variables, x)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_adaptive_group_norm_is_its_definition(dtype):
    x, _ = _inputs(3, 2)
    z_q = jnp.float32(np.random.default_rng(1).normal(size=(2, 2, 3, 4)))
    module = AdaptiveGroupNorm(3, dtype=dtype)
    variables = module.init(jax.random.key(0), x, z_q)
    wide = jax.tree.map(np.float64, variables["params"])

    def linear(name, y):
        return (y @ wide[name]["kernel"][0, 0] + wide[name]["bias"])[:, None, None]

    codes = np.float64(z_q).reshape(2, 6, 4)
    scale = linear("gamma", np.sqrt(codes.var(1, ddof=1) + 1e-6))
    ones, zeros = np.ones(6), np.zeros(6)
    expected = scale * _definition(x, ones, zeros, 3, 1e-6)
    expected += linear("beta", codes.mean(1))
    found = module.apply(variables, x, z_q)
    assert found.dtype == dtype
    tolerance = 1e-4 if dtype == "float32" else 2e-2
    np.testing.assert_allclose(np.float64(found), expected, tolerance, tolerance)


def test_adaptive_group_norm_needs_a_grid():
    x, _ = _inputs(3, 2)
    with pytest.raises(InputError, match="more than one code an image"):
        AdaptiveGroupNorm(3).init(jax.random.key(0), x, jnp.zeros((2, 1, 1, 4)))
