"""Blocks with adaptive norms: their start, their attention, the room of a cache."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.models.layers.adaptive_attention import KeyValues, UnitAttention
from vq_jax.models.layers.adaptive_transformer import (
    AdaptiveTransformer,
    modulation_init,
)


def _transformer(**fields):
    defaults = {
        "num_layers": 2,
        "num_heads": 2,
        "mlp_ratio": 2.0,
        "unit": True,
        "shared": False,
        "initial_gain": 1.0,
        "kernel_std": 0.3,
        "drop_path": 0.0,
        "remat": False,
        "dtype": "float32",
    }
    return AdaptiveTransformer(**{**defaults, **fields})


def _inputs(channels=8):
    x, condition = jax.random.normal(jax.random.key(0), (2, 3, 5, channels))
    return x, condition[:, 0], jnp.ones((5, 5), bool)


def test_blocks_without_gain_are_the_identity():
    inputs = _inputs()
    for gain, same in ((0.0, True), (1.0, False)):
        module = _transformer(initial_gain=gain)
        variables = module.init(jax.random.key(1), *inputs, train=False)
        y, _ = module.apply(variables, *inputs, train=False)
        assert np.array_equal(y, inputs[0]) == same


def test_initial_deviations_are_vars():
    values = modulation_init(0.1, 1e-3)(jax.random.key(0), (64, 6 * 64))
    found = np.asarray(values).reshape(64, 6, 64).std((0, 2))
    np.testing.assert_allclose(found, [1e-4] * 2 + [0.05] * 4, rtol=0.05)
    module = _transformer(num_layers=8)
    variables = module.init(jax.random.key(1), *_inputs(64), train=False)
    blocks = variables["params"]["blocks"]
    for name, wanted in (("mlp_in", 0.3), ("mlp_out", 0.3 / 4)):
        np.testing.assert_allclose(blocks[name]["kernel"].std(), wanted, rtol=0.05)
    # No two layers are alike.
    assert np.std(blocks["mlp_in"]["kernel"], axis=0).min() > 0


@pytest.mark.parametrize("unit", [True, False])
def test_attention_is_its_definition(unit):
    x, _, _ = _inputs()
    module = UnitAttention(2, unit, 0.3, 0.3, "float32")
    mask = jnp.asarray(np.tri(5, dtype=bool))
    params = module.init(jax.random.key(1), x, mask)["params"]
    assert "bias" not in params["key"]
    if unit:
        # exp(6) is more than a scale may be.
        params["log_scale"] = jnp.array([0.5, 6.0])
    found, _ = module.apply({"params": params}, x, mask)
    wide = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    q, k, v = (
        (np.asarray(x, np.float64) @ wide[name]["kernel"]).reshape(3, 5, 2, 4)
        for name in ("query", "key", "value")
    )
    scale = np.full(2, 0.25 / 2)
    if unit:
        q, k = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (q, k))
        scale = np.array([np.exp(0.5), 100.0])
    logits = np.einsum("bnhd,bmhd->bhnm", q, k) * scale[:, None, None]
    weights = np.where(mask, np.exp(logits - logits.max(-1, keepdims=True)), 0.0)
    weights /= weights.sum(-1, keepdims=True)
    y = np.einsum("bhnm,bmhd->bnhd", weights, v).reshape(3, 5, 8)
    np.testing.assert_allclose(found, y @ wide["out"]["kernel"], atol=1e-5)


def test_a_step_more_than_the_cache_has_room_for_raises():
    x, _, _ = _inputs()
    module = UnitAttention(2, True, 0.3, 0.3, "float32")
    cache = KeyValues(keys=jnp.zeros((3, 9, 2, 4)), values=jnp.zeros((3, 9, 2, 4)))
    params = module.init(jax.random.key(1), x, jnp.ones((5, 9), bool), cache)
    with pytest.raises(ValueError, match="10 tokens are more than the 9"):
        module.apply(params, x, jnp.ones((5, 10), bool), cache)
