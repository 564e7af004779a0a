"""The parts of a run, built from its configuration and checked against each other."""

import dataclasses
import functools
import math
from collections.abc import Callable
from operator import getitem
from typing import Any

import jax
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.losses.terms import check_weights
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_autoencoder
from vq_jax.training import optim, sharding, vae_step
from vq_jax.training.state import TrainState, create_state

# path in the configuration -> lowest and highest value that a run can use
LIMITS = {
    "seed": (0, 2**32 - 1),
    "num_steps": (1, math.inf),
    "log_every": (1, math.inf),
    "usage_window": (1, math.inf),
    "image_every": (0, math.inf),
    "ema_decay": (0.0, 0.999_999),
    "data.image_size": (1, math.inf),
    "model.code_dim": (1, math.inf),
    "model.latent_dim": (0, math.inf),
    "losses.l1": (0.0, math.inf),
    "losses.l2": (0.0, math.inf),
    "losses.nll": (0.0, math.inf),
    "losses.kl": (0.0, math.inf),
    "losses.quantizer": (0.0, math.inf),
    "optim.learning_rate": (0.0, math.inf),
    "optim.clip_norm": (0.0, math.inf),
    "optim.weight_decay": (0.0, math.inf),
    "eval.every": (0, math.inf),
    "eval.max_images": (0, math.inf),
    "checkpoint.every": (0, math.inf),
    "checkpoint.keep": (1, math.inf),
    "checkpoint.keep_every": (0, math.inf),
}


@dataclasses.dataclass(frozen=True)
class Setup:
    """What follows from a configuration alone; nothing is computed or read yet.

    Attributes:
        model: the autoencoder.
        mesh: all devices.
        schedule: step -> learning rate.
        abstract_state: shapes, dtypes and shardings of the state.
        init: key -> state; pure.
        start: (state, batch, key) -> state with codes placed on the first batch, or
            None.
        step: (state, batch, key) -> (state, metrics); pure.
    """

    model: Autoencoder
    mesh: Any
    schedule: Callable
    abstract_state: TrainState
    init: Callable
    start: Callable | None
    step: Callable


def prepare(config: ConfigDict) -> Setup:
    """Builds everything that `config` describes.

    Raises:
        InputError: a value is out of range, or two values do not fit each other.
    """
    mesh = sharding.make_mesh(data=config.mesh.data, fsdp=config.mesh.fsdp)
    check_numbers(config, mesh)
    model = build_autoencoder(config.model, channels=config.data.channels)
    model.tokens_shape(config.data.image_size, config.data.image_size)
    loss_weights = check_weights(model, config.losses.to_dict())
    schedule = optim.make_schedule(config.optim, config.num_steps)
    tx = optim.make_optimizer(config.optim, schedule)
    init = functools.partial(
        create_state,
        model,
        tx,
        image_size=config.data.image_size,
        ema_decay=config.ema_decay,
    )
    shapes = jax.eval_shape(init, jax.random.key(0))
    return Setup(
        model=model,
        mesh=mesh,
        schedule=schedule,
        abstract_state=sharding.with_shardings(shapes, mesh),
        init=init,
        start=vae_step.make_start(model) if model.quantizer.starts_from_data else None,
        step=vae_step.make_vae_step(
            model,
            tx,
            loss_weights=loss_weights,
            ema_decay=config.ema_decay,
            accumulation=config.optim.accumulation,
            usage_window=config.usage_window,
        ),
    )


def check_numbers(config: ConfigDict, mesh) -> None:
    """Raises InputError for a number that no run can use."""
    sharding.check_batch_size(config.batch_size, mesh, "config.batch_size")
    sharding.check_batch_size(config.eval.batch_size, mesh, "config.eval.batch_size")
    parts = config.optim.accumulation
    if parts < 1 or config.batch_size % (parts * mesh.size):
        raise InputError(
            f"config.optim.accumulation={parts} must divide config.batch_size="
            f"{config.batch_size} into parts that are multiples of the {mesh.size} "
            "devices."
        )
    for path, (low, high) in LIMITS.items():
        value = functools.reduce(getitem, path.split("."), config)
        if not low <= value <= high:
            raise InputError(f"config.{path}={value} must be in [{low}, {high}].")
