"""Tiny priors of every family, and all codes that they give a probability to."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from vq_jax.config.tables import from_table
from vq_jax.models.build import PRIORS
from vq_jax.models.priors.base import STREAMS, Prior
from vq_jax.ops.token_layout import TokenLayout

# Each family with choices of its options: the contract tests run over all of them.
TRANSFORMER = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16}
TINY = {
    "autoregressive": {"name": "autoregressive", "mlp_multiple_of": 8, **TRANSFORMER},
    "gpt": {"name": "gpt", **TRANSFORMER, "num_layers": 1},
    "independent": {"name": "independent"},
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
    return from_table(PRIORS, config, "config.prior", layout=layout)


def variables(prior: Prior, seed: int = 0, *, random: float = 0.0) -> dict:
    """Its variables as training starts; or all of them normal, of this deviation."""
    names = ("params", *STREAMS)
    rngs = dict(zip(names, jax.random.split(jax.random.key(seed), 4), strict=True))
    codes = jnp.zeros((1, *prior.layout.shape), jnp.int32)
    labels = jnp.zeros(1, jnp.int32)
    # Compiled as one program, which takes less time than operation by operation.
    make = functools.partial(prior.apply, {}, method="loss", mutable=["params"])
    _, made = jax.jit(lambda rngs: make(codes, labels, rngs=rngs))(rngs)
    if not random:
        return made
    leaves, tree = jax.tree.flatten(made)
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    noise = [
        leaf + random * jax.random.normal(key, leaf.shape)
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(tree, noise)


def all_codes(layout: TokenLayout) -> np.ndarray:
    """Every possible image's codes, int32 [K ** num_tokens, *shape]."""
    codes = range(layout.codebook_size)
    rows = list(itertools.product(codes, repeat=layout.num_tokens))
    return np.asarray(rows, np.int32).reshape(-1, *layout.shape)
