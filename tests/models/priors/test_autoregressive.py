"""The transformers against their definitions in NumPy, float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.models.priors.base import STREAMS
from vq_jax.testing import priors
from vq_jax.testing.priors import grid_layout, scales_layout

GRID = grid_layout(2, 3, 5)


def _softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def _rms_norm(x, scale):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * scale


def _turned(x, places, class_rotation):
    """Complex pairs of one head times exp(i · angle); the class is row 0."""
    pairs = x.shape[-1] // 4
    numbers = x[:, 0::2] + 1j * x[:, 1::2]
    factors = np.full(
        numbers.shape, 1.0 if class_rotation == "identity" else 0.0, complex
    )
    for t, (row, column) in enumerate(places):
        angles = [
            (row if i < pairs else column) / 1e4 ** ((i % pairs) / pairs)
            for i in range(2 * pairs)
        ]
        factors[1 + t] = np.exp(1j * np.array(angles))
    turned = numbers * factors
    return np.stack([turned.real, turned.imag], -1).reshape(x.shape)


def _attention(x, params, heads, places, class_rotation):
    """Of one image [t, d]."""
    dim = x.shape[1] // heads
    qkv = (x @ params["qkv"]["kernel"]).reshape(len(x), 3, heads, dim)
    seen = np.tril(np.ones((len(x), len(x)), bool))
    results = []
    for head in range(heads):
        queries, keys, values = qkv[:, :, head].swapaxes(0, 1)
        queries, keys = (_turned(a, places, class_rotation) for a in (queries, keys))
        logits = np.where(seen, queries @ keys.T / np.sqrt(dim), -np.inf)
        results.append(_softmax(logits) @ values)
    return np.concatenate(results, -1) @ params["out"]["kernel"]


def _logits(prior, variables, codes, labels):
    """Of one image, whose codes are a sequence."""
    params = jax.tree.map(np.float64, variables["params"])
    positions = prior.layout.positions
    x = params["tokens"][codes[:-1]]
    if "levels" in params:
        x = x + params["levels"][positions[:-1, 0]]
    x = np.concatenate([params["classes"][labels][None], x])
    places = positions[:-1, 1:]
    for i in range(prior.num_layers):
        block = params["transformer"][f"blocks_{i}"]
        normed = _rms_norm(x, block["attention_norm"]["scale"])
        x = x + _attention(
            normed, block["attention"], prior.num_heads, places, prior.class_rotation
        )
        normed = _rms_norm(x, block["mlp_norm"]["scale"])
        gate = normed @ block["mlp"]["gate"]["kernel"]
        hidden = gate / (1 + np.exp(-gate)) * (normed @ block["mlp"]["up"]["kernel"])
        x = x + hidden @ block["mlp"]["out"]["kernel"]
    x = _rms_norm(x, params["transformer"]["norm"]["scale"])
    return x @ params["transformer"]["head"]["kernel"]


@pytest.mark.parametrize("class_rotation", ["identity", "zero"])
@pytest.mark.parametrize("layout", [GRID, scales_layout((1, 2), 5)])
def test_the_transformer_is_its_definition(layout, class_rotation):
    prior = priors.build(
        "autoregressive", layout, num_classes=3, class_rotation=class_rotation
    )
    variables = priors.variables(prior, random=0.3)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, (2, *layout.shape), np.int32)
    labels = np.array([1, -1], np.int32)
    found = prior.apply(
        variables, jnp.asarray(codes), jnp.asarray(labels), method="logits"
    )
    for row in range(2):
        expected = _logits(prior, variables, codes[row].reshape(-1), labels[row])
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-4)


def test_parameters_of_llamagen_start_as_published():
    prior = priors.build("autoregressive", GRID, hidden_dim=64, mlp_multiple_of=256)
    params = priors.variables(prior)["params"]
    block = params["transformer"]["blocks_0"]
    assert block["mlp"]["gate"]["kernel"].shape == (64, 256)
    for kernel in (block["attention"]["qkv"]["kernel"], block["mlp"]["out"]["kernel"]):
        assert abs(float(kernel.std()) - 0.02) < 1e-3
    assert not params["transformer"]["head"]["kernel"].any()
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree.leaves_with_path(params)]
    assert not any("bias" in path for path in paths)


def _gpt_loss(variables, **fields):
    prior = priors.build("gpt", GRID, **fields)
    codes = jnp.asarray(np.random.default_rng(0).integers(0, 5, (4, 2, 3), np.int32))
    rngs = dict(zip(STREAMS, jax.random.split(jax.random.key(0), 3), strict=True))
    labels = jnp.zeros(4, jnp.int32)
    loss = jax.jit(functools.partial(prior.apply, method="loss"))
    return loss(variables, codes, labels, rngs=rngs).loss


def test_corruption_changes_what_gpt_reads_and_not_what_it_predicts():
    variables = priors.variables(priors.build("gpt", GRID), random=0.5)
    assert _gpt_loss(variables, corruption=0.5) != _gpt_loss(variables)
    # What is read says nothing now.
    params = {**variables["params"]}
    params["tokens"] = jnp.zeros_like(params["tokens"])
    blind = {"params": params}
    assert _gpt_loss(blind, corruption=1.0) == _gpt_loss(blind)


def test_corrupted_codes_are_uniform():
    prior = priors.build("gpt", GRID, corruption=0.4)
    codes = jnp.full((20_000, 6), 2, jnp.int32)
    found = prior.apply(
        priors.variables(prior),
        codes,
        method="_corrupted",
        rngs={"corruption": jax.random.key(0)},
    )
    shares = np.bincount(np.asarray(found).ravel(), minlength=5) / found.size
    expected = np.full(5, 0.4 / 5)
    expected[2] += 0.6
    np.testing.assert_allclose(shares, expected, atol=0.005)
