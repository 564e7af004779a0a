"""Writes goldens/maskgit_transformer.npz from MaskGIT's released network.

    git clone https://github.com/google-research/maskgit DIR
    python tests/parity/make_maskgit_goldens.py DIR

google-research/maskgit at 1db23594e1bd328ee78eadcd148a19281cd0f5b8 (Apache-2.0), which
is Flax and runs as it is. Weights follow from their names, as in the test,
4 times as large as elsewhere, so that tokens attend to some and not to all.
"""

import importlib.util
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from vq_jax.testing.goldens import named_weight, save

FILE = "maskgit/nets/maskgit_transformer.py"
CODES, CLASSES, TOKENS = 7, 3, 6


def load(folder):
    """The module of FILE, which needs nothing else of its package."""
    spec = importlib.util.spec_from_file_location("maskgit", pathlib.Path(folder, FILE))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    net = load(sys.argv[1]).Transformer(
        vocab_size=CODES + CLASSES + 1,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=TOKENS + 1,
    )
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, CODES, (5, TOKENS))
    tokens[rng.random(tokens.shape) < 0.5] = -1  # the mask, as their notebook has it
    labels = rng.integers(0, CLASSES, 5)
    inputs = np.concatenate([labels[:, None] + CODES, tokens], axis=1)
    params = net.init(jax.random.key(0), jnp.asarray(inputs))["params"]
    shapes = {"/".join(path): leaf.shape for path, leaf in flatten_dict(params).items()}
    weights = {
        tuple(name.split("/")): 4 * named_weight(name, shape)
        for name, shape in shapes.items()
    }
    logits = net.apply({"params": unflatten_dict(weights)}, jnp.asarray(inputs))
    save(
        "maskgit_transformer",
        tokens=tokens,
        labels=labels,
        logits=logits[:, 1:, :CODES],
        shapes=json.dumps(shapes),
    )
