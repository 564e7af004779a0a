"""Converts parameters of VAR's released code: its transformer, its quantizer."""

import re
from collections.abc import Mapping

import numpy as np

BLOCK = re.compile(r"^blocks\.(\d+)\.(.+)$")
# Names in their order of layers and of axes; a block's without its number.
NAMES = {
    "word_embed": "embed",
    "shared_ada_lin.1": "modulation",
    "head_nm.ada_lin.1": "head_modulation",
    "head": "head",
    "ada_lin.1": "modulation",
    "attn.proj": "attention/out",
    "ffn.fc1": "mlp_in",
    "ffn.fc2": "mlp_out",
}
TABLES = {
    "class_emb.weight": "classes",
    "lvl_embed.weight": "levels",
    "pos_start": "begin",
    "pos_1LC": "positions",
    "ada_gss": "modulation",
    "attn.scale_mul_1H11": "attention/log_scale",
    "attn.q_bias": "attention/query/bias",
    "attn.v_bias": "attention/value/bias",
}
# What follows from sizes, and no parameter: levels of tokens, masks, a bias of zeros.
CONSTANTS = ("lvl_1L", "attn_bias_for_masking", "attn.zero_k_bias")


def convert(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts the state of a `VAR` to parameters of `NextScalePrior`, {path: array}.

    The blocks become one, with a first axis of layers.
    """
    params, layers = {}, {}
    for name, array in state.items():
        block = BLOCK.match(name)
        if not block:
            params |= _converted(name, array)
            continue
        for path, part in _converted(block[2], array).items():
            layers.setdefault(path, {})[int(block[1])] = part
    for path, parts in layers.items():
        stacked = np.stack([parts[i] for i in range(len(parts))])
        params[f"blocks/blocks/{path}"] = stacked
    return params


def convert_quantizer(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts the state of a `VectorQuantizer2` for `MultiScaleQuantizer` over `vq`.

    Its φ are convolutions of which scales share `num_refiners`.
    """
    params = {}
    for name, array in state.items():
        refiner = re.match(r"^quant_resi\.qresi_ls\.(\d+)\.(weight|bias)$", name)
        if name == "embedding.weight":
            params["codebook/codes"] = array
        elif refiner and refiner[2] == "weight":
            params[f"refiners_{refiner[1]}/kernel"] = array.transpose(2, 3, 1, 0)
        elif refiner:
            params[f"refiners_{refiner[1]}/bias"] = array
    return params


def _converted(name: str, array: np.ndarray) -> dict[str, np.ndarray]:
    """{path: array} of one array: more than one, or none."""
    if name in CONSTANTS:
        return {}
    if name == "attn.mat_qkv.weight":
        parts = zip(("query", "key", "value"), np.split(array, 3), strict=True)
        return {f"attention/{part}/kernel": kernel.T for part, kernel in parts}
    if name in TABLES:
        path = TABLES[name]
        flat = path in ("modulation", "attention/log_scale")
        return {path: array.reshape(-1) if flat else array.reshape(-1, *_last(array))}
    layer, _, field = name.rpartition(".")
    path = NAMES[layer]
    return {f"{path}/kernel": array.T} if field == "weight" else {f"{path}/bias": array}


def _last(array: np.ndarray) -> tuple[int, ...]:
    """The last axis of a table; a vector has no other."""
    return array.shape[-1:] if array.ndim > 1 else ()
