"""Fields that would have no effect in a run, and what would give them one.

A section exists only where it acts, so a field of a missing one is unknown. Within a
section a field may be idle, such as the momentum of Adam: its default does no harm, but
to set it by hand is a mistake, which the user should know.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ml_collections import ConfigDict

from vq_jax.config import paths
from vq_jax.errors import InputError
from vq_jax.training.optim import OPTIMIZERS

# sections that a configuration may lack -> how it gets them
OPTIONAL = {
    ("discriminator", "adversarial", "disc_optim"): "act in a run against a "
    "discriminator: --config=FILE:patchgan, or :stylegan, or :blur_patch, or a VQGAN's "
    "file",
    ("perceptual", "losses.perceptual"): "act in a run with a perceptual loss: "
    "--config=FILE:perceptual, or a VQGAN's file",
    ("prior", "sampling", "tokenizer", "codes"): "act in a run that trains a prior: "
    "the file of one, as configs/independent_fashion_mnist.py",
    ("degradation", "restorer"): "act in a run that trains a restorer: "
    "configs/restore_photos.py",
    ("model", "losses", "freeze", "usage_window"): "act in a run that trains a "
    "tokenizer; a prior takes one that is trained: --config.tokenizer=WORKDIR",
}


class Idle(NamedTuple):
    """A field that acts only under a condition."""

    field: str
    acts: Callable[[ConfigDict], bool]
    remedy: str  # the rest of "it acts with …"


def _of_optimizer(section: str) -> list[Idle]:
    fields = sorted({field for _, taken in OPTIMIZERS.values() for field in taken})
    rules = [
        Idle(
            f"{section}.{field}",
            lambda c, f=field: f in OPTIMIZERS.get(c[section].name, ((), [f]))[1],
            f"config.{section}.name in "
            f"{[name for name, (_, taken) in OPTIMIZERS.items() if field in taken]}",
        )
        for field in fields
    ]
    decays = Idle(
        f"{section}.final_fraction",
        lambda c: c[section].schedule != "constant",
        f"config.{section}.schedule='cosine' or 'linear'",
    )
    return [*rules, decays]


IDLE = [
    *_of_optimizer("optim"),
    *_of_optimizer("disc_optim"),
    *(
        Idle(
            f"adversarial.{field}",
            lambda c: c.adversarial.weighting == "adaptive",
            "config.adversarial.weighting='adaptive'",
        )
        for field in ("min_weight", "max_weight")
    ),
    Idle(
        "adversarial.r1_every",
        lambda c: c.adversarial.r1_weight > 0,
        "config.adversarial.r1_weight above 0",
    ),
    *(
        Idle(
            f"adversarial.{field}",
            lambda c: c.adversarial.lecam_weight > 0,
            "config.adversarial.lecam_weight above 0",
        )
        for field in ("lecam_decay", "lecam_logits")
    ),
    Idle(
        "restorer.fuse_blocks",
        lambda c: len(c.restorer.fuse_levels) > 0,
        "config.restorer.fuse_levels, as --config=FILE:fused has them",
    ),
    Idle(
        "profile.start",
        lambda c: c.profile.steps > 0,
        "config.profile.steps above 0",
    ),
    Idle(
        "data.data_dir",
        lambda c: c.data.source.startswith("tfds:"),
        "config.data.source=tfds:NAME",
    ),
    Idle(
        "model.quantizer.entropy_temperature",
        lambda c: c.model.quantizer.entropy_weight > 0,
        "config.model.quantizer.entropy_weight above 0",
    ),
    Idle(
        "prior.class_dropout",
        lambda c: c.prior.num_classes > 0,
        "config.prior.num_classes above 0",
    ),
    Idle(
        "sampling.guidance_schedule",
        lambda c: c.sampling.guidance != 1.0,
        "config.sampling.guidance other than 1",
    ),
    Idle(
        "sampling.guidance_power",
        lambda c: c.sampling.guidance_schedule == "cosine",
        "config.sampling.guidance_schedule='cosine'",
    ),
    *(
        Idle(
            f"sampling.{field}",
            lambda c: c.sampling.temperature > 0,
            "config.sampling.temperature above 0",
        )
        for field in ("top_k", "top_p")
    ),
]


def check_present(config: ConfigDict, path: str) -> None:
    """Raises InputError where a field lies in a section that the run has no use for."""
    fields = paths.flatten(config.to_dict())
    for sections, how in OPTIONAL.items():
        lacking = [s for s in sections if not any(paths.below(f, (s,)) for f in fields)]
        if paths.below(path, lacking):
            raise InputError(f"config.{path} has no effect here. Such fields {how}.")


def check_acts(config: ConfigDict, given: Iterable[str]) -> None:
    """Raises InputError where a field that was set by hand would have no effect."""
    given = set(given)
    for rule in IDLE:
        if rule.field in given and not rule.acts(config):
            raise InputError(
                f"config.{rule.field} has no effect here; it acts with {rule.remedy}."
            )
