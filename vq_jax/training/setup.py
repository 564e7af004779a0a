"""The parts of a run, built from its configuration and checked against each other."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.losses.terms import check_weights
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_autoencoder
from vq_jax.training import optim, sharding, vae_step
from vq_jax.training.state import TrainState, create_state


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
    mesh = sharding.make_mesh(config.mesh)
    check_numbers(config, mesh)
    model = build_autoencoder(config.model, channels=config.data.channels)
    model.grid_size(config.data.image_size, config.data.image_size)
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
    for field in ("num_steps", "log_every"):
        if config[field] < 1:
            raise InputError(f"config.{field}={config[field]} must be at least 1.")
    if not 0.0 <= config.ema_decay < 1.0:
        raise InputError(
            f"config.ema_decay={config.ema_decay} must be in [0, 1); "
            "0 keeps no average."
        )
