"""Tiny priors of every family, and all codes that they give a probability to."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from vq_jax.config.tables import from_table
from vq_jax.models.build import PRIORS, build_quantizer
from vq_jax.models.priors.base import STREAMS, TOKENIZER, Prior, initial_params
from vq_jax.models.quantizers.base import Quantizer
from vq_jax.ops.token_layout import TokenLayout

TRANSFORMER = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16}
NEXT_SCALE = {"name": "next_scale", **TRANSFORMER, "mlp_ratio": 2.0}
MASKGIT = {
    "name": "maskgit",
    "mlp_dim": 32,
    "dropout": 0.0,
    "num_bound_masks": 64,
    "num_steps": 3,
    **TRANSFORMER,
}
# Each family with choices of its options: the contract tests run over all of them.
TINY = {
    "autoregressive": {"name": "autoregressive", "mlp_multiple_of": 8, **TRANSFORMER},
    "gpt": {"name": "gpt", **TRANSFORMER, "num_layers": 1},
    "independent": {"name": "independent"},
    "maskgit": MASKGIT,
    "maskgit_halton": {
        **MASKGIT,
        "norm": "post",
        "head": "tied",
        "remat": True,
        "num_steps": 64,
        "order": "halton",
    },
    "next_scale": {**NEXT_SCALE, "drop_path": 0.1},
    "next_scale_shared": {
        **NEXT_SCALE,
        "unit_attention": False,
        "shared_adaln": True,
        "remat": True,
    },
    "pixelcnn": {
        "name": "pixelcnn",
        "channels": 8,
        "num_layers": 2,
        "first_kernel_size": 5,
        "head_dim": 8,
        "num_cond_blocks": 1,
    },
    "random_order": {"name": "random_order", **TRANSFORMER, "num_layers": 1},
}
CODE_DIM = 4  # of codes that a prior reads


def grid_layout(height: int, width: int, codebook_size: int) -> TokenLayout:
    """One code a position."""
    shape = (height, width)
    return TokenLayout(shape, (shape,), codebook_size)


def levels_layout(
    height: int, width: int, levels: int, codebook_size: int
) -> TokenLayout:
    """Several codes a position, as product heads and residual levels have."""
    shape = (height, width, levels)
    return TokenLayout(shape, ((height, width),) * levels, codebook_size)


def scales_layout(scales: tuple[int, ...], codebook_size: int) -> TokenLayout:
    """Codes on growing square grids."""
    tokens = sum(scale**2 for scale in scales)
    grids = tuple((scale, scale) for scale in scales)
    return TokenLayout((tokens,), grids, codebook_size)


def build(case: str, layout: TokenLayout, **fields) -> Prior:
    """The tiny prior of this name, over codes that lie so."""
    config = ConfigDict({**TINY[case], **fields})
    family = PRIORS[config.name]
    derived = family.fields_of(_quantizer(layout)) if family.reads_tokenizer else {}
    return from_table(PRIORS, config, "config.prior", layout=layout, **derived)


def variables(prior: Prior, seed: int = 0, *, random: float = 0.0) -> dict:
    """Its variables as training starts; or all of them normal, of this deviation.

    Those of a tokenizer, which always are random, are among them where it reads one.
    """
    tokenizer = tokenizer_variables(prior)
    names = ("params", *STREAMS)
    keys = jax.random.split(jax.random.key(seed), len(names))
    # Compiled as one program, which takes less time than operation by operation.
    made = jax.jit(functools.partial(initial_params, prior))(
        dict(zip(names, keys, strict=True)), tokenizer.get(TOKENIZER, {})
    )
    if random:
        made = _with_noise(made, jax.random.key(seed + 1), random)
    return {"params": made, **tokenizer}


def tokenizer_variables(prior: Prior) -> dict:
    """{TOKENIZER: variables}, all normal; empty where the prior reads none."""
    if not prior.reads_tokenizer:
        return {}
    grid = prior.layout.grids[-1]
    z_e = jnp.zeros((1, *grid, CODE_DIM))
    init = jax.jit(functools.partial(prior.quantizer.init, train=False))
    made = _with_noise(init(jax.random.key(0), z_e), jax.random.key(1), 1.0)
    return {TOKENIZER: {name: {"quantizer": tree} for name, tree in made.items()}}


def _quantizer(layout: TokenLayout) -> Quantizer:
    """One whose codes lie so, on growing square grids."""
    config = {
        "name": "multi_scale",
        "scales": tuple(height for height, _ in layout.grids),
        "inner": {"name": "vq", "codebook_size": layout.codebook_size},
    }
    return build_quantizer(ConfigDict(config), CODE_DIM, "float32")


def _with_noise(tree, key, deviation: float):
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    noisy = [
        leaf + deviation * jax.random.normal(key, leaf.shape)
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, noisy)


def all_codes(layout: TokenLayout) -> np.ndarray:
    """Every possible image's codes, int32 [K ** num_tokens, *shape]."""
    codes = range(layout.codebook_size)
    rows = list(itertools.product(codes, repeat=layout.num_tokens))
    return np.asarray(rows, np.int32).reshape(-1, *layout.shape)
