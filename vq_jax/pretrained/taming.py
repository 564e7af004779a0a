"""Converts parameters of VQGAN's released code, taming-transformers."""

import re
from collections.abc import Mapping

import numpy as np

# Prefixes of the autoencoder's names, the longest first. What follows a prefix stays.
PREFIXES = (
    (r"^encoder\.down\.(\d+)\.(block|attn)\.(\d+)\.", r"encoder/down_\1_\2_\3/"),
    (r"^encoder\.down\.(\d+)\.downsample\.", r"encoder/down_\1_downsample/"),
    (r"^decoder\.up\.(\d+)\.(block|attn)\.(\d+)\.", r"decoder/up_\1_\2_\3/"),
    (r"^decoder\.up\.(\d+)\.upsample\.", r"decoder/up_\1_upsample/"),
    (r"^(encoder|decoder)\.mid\.(\w+)\.", r"\1/mid/\2/"),
    (r"^quant_conv\.", r"head/Conv_0/"),
    (r"^post_quant_conv\.", r"decoder/post_quant_conv/"),
    (r"^quantize\.embedding\.weight$", r"quantizer/codes"),
)


def convert(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts the state of a `VQModel` to parameters of `Autoencoder`, {path: array}.

    Kernels are transposed from OIHW to HWIO, and weights of norms are named scales.
    `state` has to be the autoencoder's only, without "loss." and "transformer.".
    """
    return dict(_converted(name, array) for name, array in state.items())


def convert_discriminator(
    state: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Converts the state of an `NLayerDiscriminator` for `PatchDiscriminator`.

    Returns its parameters and the running statistics of its BatchNorms. Names in
    `state` are `main.{i}.…`, where i is 0, 2, 5, 8, … for convolutions and 3, 6, 9, …
    for norms.
    """
    params, stats = {}, {}
    for name, array in state.items():
        _, index, field = name.split(".")
        kind = "norm" if index != "0" and int(index) % 3 == 0 else "conv"
        layer = f"{kind}_{(int(index) + 1) // 3}"
        if field.startswith("running_"):
            stats[f"{layer}/{field.removeprefix('running_')}"] = array
        elif field != "num_batches_tracked":
            path, array = _converted(f"{layer}.{field}", array)
            params[path] = array
    return params, stats


def _converted(name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    for pattern, replacement in PREFIXES:
        name = re.sub(pattern, replacement, name)
    path = name.replace(".", "/")
    if array.ndim == 4:
        return path.replace("/weight", "/kernel"), array.transpose(2, 3, 1, 0)
    return path.replace("/weight", "/scale"), array
