"""Tiny tokenizers and priors in their workdirs, as programs read them."""

import pathlib

import numpy as np
from ml_collections import ConfigDict
from PIL import Image
from rich.console import Console

from configs.parts.defaults import defaults
from configs.parts.priors import prior_defaults
from vq_jax.testing import tiny
from vq_jax.testing.priors import TINY
from vq_jax.testing.runs import initialise_run
from vq_jax.training import run

CLASSES = ("boot", "coat", "shirt")
# Quantizers of `tiny`, for families that are not for every one.
QUANTIZERS = {"next_scale": "multi_scale_vq"}


def write_images(folder: pathlib.Path) -> None:
    """Ten images of 16 px of each of CLASSES, whose colours tell them apart."""
    for label, name in enumerate(CLASSES):
        (folder / "train" / name).mkdir(parents=True)
        for i, image in enumerate(tiny.images(10, seed=label)):
            image = np.roll(image // 2, label, axis=-1)
            image[..., label] += 100
            Image.fromarray(image).save(folder / "train" / name / f"{i}.png")


def _shared(config: ConfigDict, images: pathlib.Path) -> None:
    config.num_steps, config.batch_size = 30, 8
    config.data.update(source=f"folder:{images}", eval_split="train", image_size=16)
    config.data.flip = False
    config.evaluations = ConfigDict()
    config.checkpoint.every = 0


def write_tokenizer(
    workdir: pathlib.Path, images: pathlib.Path, quantizer: str = "fsq", seed: int = 0
) -> None:
    """A tokenizer that has not been trained, on grids of 4 x 4."""
    config = defaults()
    _shared(config, images)
    config.seed = seed
    config.model = tiny.model_config(quantizer)
    initialise_run(config, workdir)


def prior_config(
    case: str, tokenizer: pathlib.Path, images: pathlib.Path
) -> ConfigDict:
    """A tiny prior of the name that `priors.TINY` gives it, with classes."""
    config = prior_defaults()
    _shared(config, images)
    config.tokenizer = str(tokenizer)
    config.prior = ConfigDict({**TINY[case], "num_classes": 3, "class_dropout": 0.2})
    config.optim.learning_rate = 3e-2
    return config


def write_prior(
    workdir: pathlib.Path, tokenizer: pathlib.Path, images: pathlib.Path, case: str
) -> None:
    """A prior that has been trained a little, so that its law is not uniform."""
    config = prior_config(case, tokenizer, images)
    assert run.train(config, workdir, Console(quiet=True)) == 0
