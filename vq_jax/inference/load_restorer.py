"""A trained restorer, and the tokenizer whose codes it predicts, from its workdir."""

import dataclasses
from typing import Annotated, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
from etils import epath
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.data.degradations.degradation import Degradation
from vq_jax.data.degradations.presets import degradation
from vq_jax.errors import InputError
from vq_jax.inference.load import SavedTokenizer
from vq_jax.inference.load_on_codes import SavedOnCodes, open_on_codes
from vq_jax.inference.restoration import Models
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_restorer
from vq_jax.models.restorer import Restorer


class DegradationFields(TypedDict):
    """The section `config.degradation`.

    Attributes:
        train, eval: of `data/degradations/presets.py: DEGRADATIONS`.
        eval_seed: of what is done to the images of evaluations.
    """

    train: str
    eval: str
    eval_seed: Annotated[int, ranges.Range(0, 2**32 - 1)]


class Degradations(NamedTuple):
    """What is done to images in training and in evaluation."""

    train: Degradation
    eval: Degradation


def open_degradations(config: ConfigDict) -> Degradations:
    """Those that `config.degradation` names.

    Raises:
        InputError: an unknown name, two scales, or a size that they do not divide.
    """
    names = config.degradation
    train = degradation(names.train, "config.degradation.train")
    evaluated = degradation(names.eval, "config.degradation.eval")
    if train.scale != evaluated.scale:
        raise InputError(
            f"config.degradation.train={names.train!r} has scale {train.scale} but "
            f"config.degradation.eval={names.eval!r} has {evaluated.scale}; choose two "
            "of one scale."
        )
    if config.data.image_size % train.scale:
        raise InputError(
            f"config.data.image_size={config.data.image_size} does not divide by the "
            f"scale {train.scale} of config.degradation.train={names.train!r}; give a "
            "multiple."
        )
    return Degradations(train, evaluated)


def build_models(config: ConfigDict, tokenizer: SavedTokenizer) -> Models:
    """The modules of a run's configuration.

    Raises:
        InputError: fields that do not fit each other or the tokenizer.
    """
    channels = tokenizer.config.data.channels
    if config.data.channels != channels:
        raise InputError(
            f"config.data.channels={config.data.channels} but the tokenizer in "
            f"{tokenizer.workdir} was trained with {channels}; give both the same."
        )
    section = config.restorer
    if section.hidden_dim % section.num_heads:
        raise InputError(
            f"config.restorer.num_heads={section.num_heads} must divide "
            f"config.restorer.hidden_dim={section.hidden_dim}."
        )
    restorer = build_restorer(section, tokenizer.model)
    _check_fuse_levels(restorer, tokenizer.model)
    tokenizer.model.tokens_shape(config.data.image_size, config.data.image_size)
    return Models(restorer, tokenizer.model)


def _check_fuse_levels(restorer: Restorer, tokenizer: Autoencoder) -> None:
    there = sorted({*tokenizer.encoder.levels} & {*tokenizer.decoder.levels})
    if not {*restorer.fuse_levels} <= {*there}:
        raise InputError(
            f"config.restorer.fuse_levels={restorer.fuse_levels} must be of the "
            f"resolution levels that encoder and decoder of the tokenizer share: "
            f"{tuple(there)}; level n has 2^n times fewer rows than an image."
        )


def initial_params(
    models: Models, tokenizer: SavedTokenizer, data: ConfigDict, key: jax.Array
) -> dict:
    """Random parameters of the restorer; pure, the tokenizer's arrays are not read."""
    images = jnp.zeros((1, data.image_size, data.image_size, data.channels))
    return models.init(key, tokenizer.zeros(), images)["params"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedRestorer(SavedOnCodes):
    """The restorer of a run's latest checkpoint.

    Attributes:
        models: the restorer and its tokenizer.
    """

    models: Models

    @property
    def degradations(self) -> Degradations:
        """What the run did to its images."""
        return open_degradations(self.config)

    def init(self, key):
        return initial_params(self.models, self.tokenizer, self.config.data, key)


def open_restorer(
    workdir: epath.PathLike, tokenizer: epath.PathLike | None = None
) -> SavedRestorer:
    """The restorer of a run's latest checkpoint, whose parameters are not read yet.

    Args:
        workdir: of the restorer's run.
        tokenizer: workdir of its tokenizer, where that has moved; by default the one
            that the run was trained with, a relative path from the current folder.

    Raises:
        InputError: there is no checkpoint, it holds no restorer, or the tokenizer is
            not there or another one than that of the training.
    """
    found = open_on_codes(
        workdir,
        tokenizer,
        section="restorer",
        otherwise="trains no restorer; name the workdir of one, as "
        "configs/restore_photos.py trains it.",
    )
    return SavedRestorer(
        models=build_models(found["config"], found["tokenizer"]), **found
    )
