"""Configurations and checkpoints that earlier versions wrote, as those of today.

Before version 0.2 every configuration had all sections, with and without a
discriminator, and a checkpoint did not say where in it the model lies. Fields that a
section got since then have the value of what runs did before.
"""

from typing import Any

from vq_jax.config import paths
from vq_jax.config.renamed import current_path

ADVERSARIAL = ("discriminator", "adversarial", "disc_optim")
PERCEPTUAL = ("perceptual", "losses.perceptual")
# Fields that came later, and what runs did before them.
ADDED = {"data.color_prob": 0.0, "evaluations.reconstruction.lpips": ()}
# Likewise, since version 0.2: sections that every run has now,
ADDED_SECTIONS = {"profile": {"start": 10, "steps": 0}}
# and fields: section -> its fields, where a run has the section.
ADDED_SINCE = {
    "adversarial": {"lecam_logits": "each"},
    "data": {"white_point": 0.0, "exclude_labels": ()},
    "losses": {"l1": 0.0},
    "restorer": {"fuse_levels": (), "fuse_blocks": 4},
}


def upgraded(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with today's sections and fields; one of today as it is."""
    config = config if "task" in config else _with_sections(config)
    config = {**ADDED_SECTIONS, **config}
    for section, fields in ADDED_SINCE.items():
        if section in config:
            config = {**config, section: {**fields, **config[section]}}
    return config


def _with_sections(config: dict[str, Any]) -> dict[str, Any]:
    flat = {current_path(path): v for path, v in paths.flatten(config).items()}
    has_discriminator = flat.get("discriminator.name", "none") != "none"
    without = () if has_discriminator else ADVERSARIAL
    without += () if flat.get("losses.perceptual") else PERCEPTUAL
    flat = {path: v for path, v in flat.items() if not paths.below(path, without)}
    return paths.unflatten(
        {
            "task": "adversarial" if has_discriminator else "autoencoder",
            **ADDED,
            **flat,
        }
    )


def model_path(config: dict[str, Any]) -> str:
    """Where the model lies in a checkpoint that does not say so."""
    return "generator" if upgraded(config)["task"] == "adversarial" else ""
