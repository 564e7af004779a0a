"""Tiny models and images with structure, for tests."""

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_autoencoder

# One line a family and a choice of its options: the contract tests run over all.
QUANTIZERS = {
    "none": {"name": "none"},
    "vq": {"name": "vq", "codebook_size": 16},
    "vq_from_data": {"name": "vq", "codebook_size": 16, "codebook_init": "data"},
    "vq_ema": {"name": "vq_ema", "codebook_size": 16},
    "vq_ema_no_restart": {
        "name": "vq_ema",
        "codebook_size": 16,
        "restart_threshold": 0.0,
        "codebook_init": "uniform",
    },
}


def model_config(quantizer: str = "vq_ema", **fields) -> ConfigDict:
    """`config.model` of a tiny model: stride 4, 16 codes of 4 dimensions."""
    conv = {"name": "conv", "hidden_dim": 8, "num_res_blocks": 1, "res_dim": 4}
    return ConfigDict(
        {
            "dtype": "float32",
            "code_dim": 4,
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
    """A training batch of `images`."""
    labels = np.zeros(count, np.int32)
    return {"image": jnp.asarray(images(count, size, seed)), "label": labels}
