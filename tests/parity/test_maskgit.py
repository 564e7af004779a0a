"""The masked transformer with MaskGIT's options, against its released network.

The golden is float32 on a CPU; sums in another order differ by 1e-6.
"""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from vq_jax.models.layers.masked_transformer import MaskedTransformer
from vq_jax.testing.goldens import load, named_weight

CODES, CLASSES = 7, 3
# Their names of parameters, and ours.
NAMES = (
    (r"^Embed_0/embeddings_ln", "embedding_norm"),
    (r"^TransformerLayer_(\d)/Attention_0/self_attention", r"block_\1/attention"),
    (
        r"^TransformerLayer_(\d)/Attention_0/attention_output_ln",
        r"block_\1/attention_norm",
    ),
    (r"^TransformerLayer_(\d)/Mlp_0/intermediate_output", r"block_\1/mlp_in"),
    (r"^TransformerLayer_(\d)/Mlp_0/layer_output_ln", r"block_\1/mlp_norm"),
    (r"^TransformerLayer_(\d)/Mlp_0/layer_output", r"block_\1/mlp_out"),
    (r"^MlmLayer_0/mlm_dense", "head_dense"),
    (r"^MlmLayer_0/mlm_ln", "head_norm"),
)


def _params(golden):
    params = {}
    for name, shape in json.loads(str(golden["shapes"])).items():
        ours = name
        for pattern, replacement in NAMES:
            ours = re.sub(pattern, replacement, ours)
        params[ours] = 4 * named_weight(name, tuple(shape))
    # One vocabulary has their codes, classes and mask.
    words = params.pop("Embed_0/word_embeddings/embedding")
    params["codes/embedding"] = np.concatenate([words[:CODES], words[-1:]])
    params["classes/embedding"] = words[CODES:-1]
    params["positions"] = params.pop("Embed_0/position_embeddings/embedding")[None]
    bias = params.pop("MlmLayer_0/mlm_bias/bias")
    params["head_bias"] = bias[None, None, :CODES]
    return unflatten_dict({tuple(key.split("/")): v for key, v in params.items()})


def test_logits_of_codes_are_those_of_the_released_network():
    golden = load("maskgit_transformer")
    net = MaskedTransformer(
        codebook_size=CODES,
        num_classes=CLASSES,
        num_layers=2,
        hidden_dim=8,
        num_heads=2,
        mlp_dim=12,
        norm="post",
        norm_epsilon=1e-12,
        dropout=0.1,
        attention_dropout=0.1,
        head="tied",
        remat=False,
        dtype="float32",
    )
    tokens = np.where(golden["tokens"] < 0, CODES, golden["tokens"])
    tokens, labels = jnp.asarray(tokens), jnp.asarray(golden["labels"])
    params = _params(golden)
    made = jax.eval_shape(
        lambda key: net.init(key, tokens, labels, train=False), jax.random.key(0)
    )
    shapes = {key: leaf.shape for key, leaf in flatten_dict(made["params"]).items()}
    assert shapes == {key: leaf.shape for key, leaf in flatten_dict(params).items()}
    logits = net.apply({"params": params}, tokens, labels, train=False)
    assert np.ptp(golden["logits"]) > 1.0
    np.testing.assert_allclose(logits, golden["logits"], rtol=1e-5, atol=1e-5)
