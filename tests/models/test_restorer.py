"""The heads of the code transformer at the start, and what a restorer says of sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from vq_jax import InputError
from vq_jax.models.build import build_restorer
from vq_jax.models.layers.code_transformer import CodeTransformer
from vq_jax.testing import tiny

SIZE = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, "mlp_dim": 16, "dropout": 0.0}


def _logits(head, features, codes, change=lambda params: params):
    module = CodeTransformer(**SIZE, head=head, dtype="float32")
    params = module.init(jax.random.key(0), features, codes, train=False)["params"]
    return module.apply({"params": change(params)}, features, codes, train=False)


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    shapes = ((2, 3, 4, 5), (7, 5))
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


def test_the_linear_head_begins_with_all_codes_alike(arrays):
    np.testing.assert_array_equal(_logits("linear", *arrays), np.zeros((2, 3, 4, 7)))


def test_the_distance_head_begins_with_the_scaled_distance(arrays):
    features, codes = (np.asarray(x, np.float64) for x in arrays)
    distances = ((features[..., None, :] - codes) ** 2).sum(-1)
    wanted = -np.exp(3.0) * distances / codes.var(axis=0).sum()
    found = jax.nn.log_softmax(_logits("distance", *arrays))
    wanted -= np.log(np.exp(wanted).sum(-1, keepdims=True))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("head", ["linear", "distance"])
def test_a_position_sees_all_others(arrays, head):
    features, codes = arrays

    def with_head(params):
        rng = np.random.default_rng(1)
        kernel = rng.normal(size=params["head"]["kernel"].shape)
        kernel = jnp.asarray(kernel, jnp.float32)
        return {**params, "head": {**params["head"], "kernel": kernel}}

    moved = features.at[0, 0, 0].add(1.0)
    before, after = (_logits(head, x, codes, with_head) for x in (features, moved))
    assert np.abs(before - after)[0].max(axis=-1).min() > 1e-6
    np.testing.assert_allclose(before[1], after[1], atol=1e-5)


def _config(**fields):
    return ConfigDict({**SIZE, "code_head": "distance", "dtype": "float32", **fields})


@pytest.mark.parametrize("quantizer", ["vq", "fsq", "lfq", "simvq", "vq_ema_cosine"])
def test_it_takes_any_quantizer_with_one_code_a_position(quantizer):
    tokenizer = tiny.model(quantizer)
    module = build_restorer(_config(), tokenizer)
    codes = jnp.zeros((tokenizer.quantizer.codebook_size, 4))
    images = jnp.zeros((1, 16, 16, 3))
    out, _ = jax.eval_shape(
        lambda: module.init_with_output(jax.random.key(0), images, codes, train=False)
    )
    assert out.logits.shape == (1, 4, 4, tokenizer.quantizer.codebook_size)


@pytest.mark.parametrize(
    ("quantizer", "message"),
    [
        ("none", "the tokenizer has no codes"),
        ("product", "ProductQuantizer has several codes a position"),
        ("residual", "ResidualQuantizer has several codes a position"),
        ("multi_scale", "MultiScaleQuantizer has several codes a position"),
    ],
)
def test_others_are_refused_by_name(quantizer, message):
    with pytest.raises(InputError, match=message):
        build_restorer(_config(), tiny.model(quantizer))
