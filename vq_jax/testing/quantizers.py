"""Quantizers of `testing.tiny` with variables and latents, and calls of them."""

import functools

import jax
from ml_collections import ConfigDict

from vq_jax.models.build import build_quantizer
from vq_jax.models.quantizers import base
from vq_jax.testing import tiny

CODE_DIM = 4


def make(case: str, dtype: str = "float32", *, batch: int = 2, **fields):
    """(module, variables initialised on z_e, latents z_e [batch, 4, 4, d])."""
    return _make(case, dtype, batch, **fields) if fields else _of(case, dtype, batch)


def _make(case, dtype, batch, **fields):
    config = ConfigDict({**tiny.QUANTIZERS[case], **fields})
    module = build_quantizer(config, CODE_DIM, dtype)
    shape = (batch, 4, 4, module.input_dim or CODE_DIM)
    z_e = jax.random.normal(jax.random.key(0), shape).astype(dtype)
    rngs = {"params": jax.random.key(1), "codebook": jax.random.key(2)}
    variables = dict(module.init(rngs, z_e, train=False))
    if module.needs_data_init:
        _, initialised = module.apply(
            variables,
            z_e,
            method="init_from_data",
            rngs={"codebook": jax.random.key(3)},
            mutable=["params", base.STATE],
        )
        variables = {**variables, **initialised}
    return module, variables, z_e


# Initialised once for all tests: arrays don't change, and dictionaries must not.
_of = functools.cache(_make)


def apply(module, variables, z_e, *, train: bool, seed: int = 4):
    """The result of a training or an evaluation pass."""
    rngs = {"codebook": jax.random.key(seed)}
    return module.apply(variables, z_e, train=train, rngs=rngs)


def update(module, variables, z_e, *, seed: int = 4):
    """(result of a training pass, variables after the update that follows it)."""
    out, collections = module.apply(
        variables,
        z_e,
        train=True,
        rngs={"codebook": jax.random.key(seed)},
        mutable=[base.STATISTICS, base.CANDIDATES],
    )
    _, updated = module.apply(
        {**variables, **collections}, method="update", mutable=list(variables)
    )
    return out, dict(updated)
