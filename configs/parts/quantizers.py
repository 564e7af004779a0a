"""`config.model.quantizer`: the families and their defaults; docs/quantizers.md."""

from ml_collections import ConfigDict

_EMA = {
    "name": "vq_ema",
    "codebook_size": 512,
    "commitment_weight": 0.25,
    "decay": 0.99,
    "codebook_init": "data",
    "restart_threshold": 0.1,
}
_VQ = {
    "name": "vq",
    "codebook_size": 512,
    "codebook_weight": 1.0,
    "commitment_weight": 0.25,
    "codebook_init": "data",
}
_ANNEALED = {
    "codebook_size": 512,
    "temperature": 1.0,
    "final_temperature": 0.0625,
    "anneal_steps": 1_000,
    "anneal": "cosine",
}
_LFQ = {"num_bits": 9, "entropy_weight": 0.1, "commitment_weight": 0.25}

# variant of the command line -> config.model.quantizer
QUANTIZERS = {
    "bsq": {"name": "bsq", **_LFQ},
    "cvq": {"name": "cvq", "codebook_size": 512, "commitment_weight": 0.25},
    "fsq": {"name": "fsq", "levels": (8, 8, 8)},
    "gumbel": {"name": "gumbel", **_ANNEALED, "kl_weight": 5e-4},
    "ibq": {"name": "ibq", "codebook_size": 512, "entropy_weight": 0.05},
    "lfq": {"name": "lfq", **_LFQ},
    "multi_scale": {
        "name": "multi_scale",
        "scales": (1, 2, 4, 8, 16),
        "inner": _EMA,
    },
    "none": {"name": "none"},
    "product": {"name": "product", "num_heads": 2, "inner": _EMA},
    "residual": {"name": "residual", "num_levels": 2, "inner": _EMA},
    "residual_fsq": {
        "name": "residual",
        "num_levels": 2,
        "inner": {"name": "fsq", "levels": (5, 5, 5), "bound": "clip"},
    },
    "simvq": {"name": "simvq", "codebook_size": 512, "commitment_weight": 0.25},
    "soft": {"name": "soft", **_ANNEALED},
    "vq": _VQ,
    "vq_cosine": {**_VQ, "distance": "cosine"},
    "vq_ema": _EMA,
    "vq_rotation": {**_VQ, "estimator": "rotation"},
}

# Fields that survive a change of the quantizer.
SHARED = ("codebook_size", "codebook_weight", "commitment_weight", "decay")


def quantizer(family: str, **fields) -> dict:
    """A family's defaults, with `fields` replaced."""
    return {**QUANTIZERS[family], **fields}


def change_quantizer(config: ConfigDict, family: str) -> None:
    """Gives `config` another family; what both have of SHARED stays as it was."""
    shared = {
        key: value
        for key, value in config.model.quantizer.items()
        if key in QUANTIZERS[family] and key in SHARED
    }
    config.model.quantizer = ConfigDict(quantizer(family, **shared))
