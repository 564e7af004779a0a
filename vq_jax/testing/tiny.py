"""Tiny models, and images with structure, for tests."""

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_autoencoder

_VQ = {"name": "vq", "codebook_size": 16}
_VQ_DATA = {**_VQ, "codebook_init": "data"}
_EMA = {"name": "vq_ema", "codebook_size": 16}
_CVQ = {"name": "cvq", "codebook_size": 16}
_SIMVQ = {"name": "simvq", "codebook_size": 16}
_GUMBEL = {"name": "gumbel", "codebook_size": 16, "anneal_steps": 4}
_CLIPPED_FSQ = {"name": "fsq", "levels": (3, 5, 3, 5), "bound": "clip"}
_TWO_LEVELS = {"name": "residual", "num_levels": 2, "inner": _EMA}
_SPLIT = {"restart": "split", "restart_threshold": 0.5}
_NO_LOSSES = {"codebook_weight": 0.0, "commitment_weight": 0.0}
_PENALTIES = {
    "entropy_weight": 0.1,
    "entropy_temperature": 1.0,
    "orthogonality_weight": 0.1,
}

# Each family with choices of its options: the contract tests run over all of them.
QUANTIZERS = {
    "none": {"name": "none"},
    "vq": _VQ,
    "vq_from_data": _VQ_DATA,
    "vq_kmeans": {**_VQ, "codebook_init": "kmeans"},
    "vq_legacy": {**_VQ_DATA, "beta_mode": "taming_legacy"},
    "vq_cosine": {**_VQ_DATA, "distance": "cosine"},
    "vq_rotation": {**_VQ_DATA, "estimator": "rotation"},
    "vq_diveq": {**_VQ_DATA, "estimator": "diveq", **_NO_LOSSES},
    "vq_resample": {**_VQ_DATA, "restart_threshold": 0.5},
    "vq_split": {**_VQ_DATA, **_SPLIT},
    "vq_penalties": {**_VQ_DATA, **_PENALTIES},
    "vq_ema": _EMA,
    "vq_ema_no_restart": {**_EMA, "restart_threshold": 0.0, "codebook_init": "uniform"},
    "vq_ema_cosine": {**_EMA, "distance": "cosine"},
    "vq_ema_split": {**_EMA, **_SPLIT},
    "cvq": _CVQ,
    "cvq_random": {**_CVQ, "anchor": "random", "distance": "cosine_search"},
    "simvq": _SIMVQ,
    "simvq_rotation": {**_SIMVQ, "estimator": "rotation", "use_bias": True},
    "ibq": {"name": "ibq", "codebook_size": 16},
    "gumbel": _GUMBEL,
    "gumbel_hard": {**_GUMBEL, "hard_in_forward": True},
    "soft": {"name": "soft", "codebook_size": 16, "anneal_steps": 4},
    "fsq": {"name": "fsq", "levels": (4, 3, 5, 8)},
    "fsq_atanh": {"name": "fsq", "levels": (4, 3, 5, 8), "bound": "atanh"},
    "fsq_symmetric": {"name": "fsq", "levels": (2, 3, 4, 5), "bound": "symmetric"},
    "fsq_big": {"name": "fsq", "levels": (4, 3, 5, 8), "index_order": "big"},
    "lfq": {"name": "lfq", "num_bits": 4},
    "lfq_big": {"name": "lfq", "num_bits": 4, "bit_order": "big", "scale": 0.5},
    "bsq": {"name": "bsq", "num_bits": 4},
    "product": {"name": "product", "num_heads": 2, "inner": _EMA},
    "product_shared": {"name": "product", "shared": True, "inner": _EMA},
    "product_lfq": {"name": "product", "inner": {"name": "lfq", "num_bits": 2}},
    "residual": {"name": "residual", "num_levels": 3, "inner": _EMA},
    "residual_shared": {"name": "residual", "shared": True, "inner": _VQ},
    "residual_dropout": {"name": "residual", "level_dropout": 0.9, "inner": _EMA},
    "residual_fsq": {"name": "residual", "inner": _CLIPPED_FSQ},
    "residual_lfq": {"name": "residual", "inner": {"name": "lfq", "num_bits": 4}},
    "grouped_residual": {"name": "product", "inner": _TWO_LEVELS},
    "multi_scale": {"name": "multi_scale", "scales": (1, 2, 4), "inner": _EMA},
    "multi_scale_vq": {"name": "multi_scale", "scales": (1, 3, 4), "inner": _VQ_DATA},
}


def model_config(quantizer: str = "vq_ema", **fields) -> ConfigDict:
    """`config.model` of a tiny autoencoder: stride 4, mostly 16 codes of 4 channels."""
    conv = {"name": "conv", "hidden_dim": 8, "num_res_blocks": 1, "res_dim": 4}
    return ConfigDict(
        {
            "dtype": "float32",
            "code_dim": 4,
            "latent_dim": 0,
            "likelihood": "pixels",
            "encoder": {**conv, "num_downsamples": 2},
            "head": {"name": "deterministic"},
            "quantizer": QUANTIZERS[quantizer],
            "decoder": {**conv, "num_upsamples": 2},
            **fields,
        }
    )


def model(quantizer: str = "vq_ema", **fields) -> Autoencoder:
    """A tiny autoencoder of RGB images."""
    return build_autoencoder(model_config(quantizer, **fields), channels=3)


def images(count: int, size: int = 16, seed: int = 0) -> np.ndarray:
    """Colour gradients with a bright square each, uint8 [count, size, size, 3]."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0.0, 1.0, size)
    colours = rng.uniform(0, 160, (2, count, 1, 1, 3))
    pictures = (
        colours[0] * ramp[None, :, None, None] + colours[1] * ramp[None, None, :, None]
    ) / 2
    side = size // 4
    for picture in pictures:
        y, x = rng.integers(0, size - side, 2)
        picture[y : y + side, x : x + side] = rng.uniform(128, 255, 3)
    return pictures.astype(np.uint8)


def batch(count: int, size: int = 16, seed: int = 0) -> dict[str, jnp.ndarray]:
    """A training batch with these `images`, all of label 0."""
    labels = np.zeros(count, np.int32)
    return {"image": jnp.asarray(images(count, size, seed)), "label": labels}
