import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.models.layers.mlp import Mlp, SwiGlu
from vq_jax.models.layers.rms_norm import RmsNorm

X = np.random.default_rng(0).normal(size=(2, 3, 6)).astype(np.float32)


def _made(module):
    """Variables with normal parameters, and their kernels and biases in float64."""
    variables = module.init(jax.random.key(0), jnp.asarray(X))
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    leaves = [
        jax.random.normal(key, x.shape) for key, x in zip(keys, leaves, strict=True)
    ]
    variables = jax.tree.unflatten(tree, leaves)
    return variables, jax.tree.map(np.float64, variables["params"])


def test_rms_norm_is_its_definition():
    variables, params = _made(RmsNorm())
    x = np.float64(X)
    expected = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * params["scale"]
    np.testing.assert_allclose(
        RmsNorm().apply(variables, jnp.asarray(X)), expected, rtol=1e-5, atol=1e-6
    )


def test_rms_norm_of_bfloat16_has_float32_statistics():
    x = jnp.asarray(100 * X, jnp.bfloat16)
    variables = RmsNorm().init(jax.random.key(0), x)
    low = RmsNorm(dtype="bfloat16").apply(variables, x)
    high = RmsNorm().apply(variables, x.astype("float32"))
    np.testing.assert_array_equal(low, high.astype(jnp.bfloat16))


@pytest.mark.parametrize(("multiple_of", "hidden_dim"), [(256, 256), (5, 20), (1, 16)])
def test_swiglu_is_its_definition(multiple_of, hidden_dim):
    module = SwiGlu(multiple_of)
    variables, params = _made(module)
    assert params["gate"]["kernel"].shape == (6, hidden_dim)
    gate = X @ params["gate"]["kernel"]
    hidden = gate / (1 + np.exp(-gate)) * (X @ params["up"]["kernel"])
    expected = hidden @ params["out"]["kernel"]
    np.testing.assert_allclose(
        module.apply(variables, jnp.asarray(X)), expected, rtol=1e-4, atol=1e-4
    )


def test_mlp_has_the_exact_gelu():
    variables, params = _made(Mlp())
    hidden = X @ params["in"]["kernel"] + params["in"]["bias"]
    hidden = hidden * (1 + np.vectorize(math.erf)(hidden / np.sqrt(2))) / 2
    expected = hidden @ params["out"]["kernel"] + params["out"]["bias"]
    np.testing.assert_allclose(
        Mlp().apply(variables, jnp.asarray(X)), expected, rtol=1e-4, atol=1e-4
    )
