"""The parts of a run, built from its configuration and checked against each other."""

import dataclasses
import functools
import math
from collections.abc import Callable
from operator import getitem
from typing import Any

import jax
from ml_collections import ConfigDict

from vq_jax import sharding
from vq_jax.config.checks import check_choice
from vq_jax.errors import InputError
from vq_jax.losses.terms import PERCEPTUAL, check_weights
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.build import build_autoencoder, build_discriminator
from vq_jax.models.discriminators.base import Discriminator
from vq_jax.training import gan_step, generator, optim, rng, vae_step
from vq_jax.training.discriminator import create_discriminator
from vq_jax.training.game import make_game
from vq_jax.training.perceptual import make_perceptual
from vq_jax.training.state import AdversarialState, create_state

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
    "losses.perceptual": (0.0, math.inf),
    "losses.quantizer": (0.0, math.inf),
    "adversarial.weight": (0.0, math.inf),
    "adversarial.min_weight": (0.0, math.inf),
    "adversarial.max_weight": (0.0, math.inf),
    "adversarial.disc_start": (0, math.inf),
    "adversarial.gen_start": (0, math.inf),
    "adversarial.gen_ramp": (0, math.inf),
    "adversarial.r1_weight": (0.0, math.inf),
    "adversarial.r1_every": (1, math.inf),
    "adversarial.lecam_weight": (0.0, math.inf),
    "adversarial.lecam_decay": (0.0, 1.0),
    "optim.learning_rate": (0.0, math.inf),
    "optim.clip_norm": (0.0, math.inf),
    "optim.weight_decay": (0.0, math.inf),
    "disc_optim.learning_rate": (0.0, math.inf),
    "disc_optim.clip_norm": (0.0, math.inf),
    "disc_optim.weight_decay": (0.0, math.inf),
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
        discriminator: its opponent, or None.
        mesh: all devices.
        schedule: step -> learning rate of the autoencoder.
        abstract_state: shapes, dtypes and shardings of the state: a TrainState, or an
            AdversarialState where there is a discriminator.
        init: key -> state; pure.
        start: (state, batch, key) -> state with codes, and what else starts on data,
            placed on the first batch; or None.
        step: (state, batch, key, nets) -> (state, metrics); pure.
        nets: names of the pretrained nets whose parameters `step` is called with.
    """

    model: Autoencoder
    discriminator: Discriminator | None
    mesh: Any
    schedule: Callable
    abstract_state: Any
    init: Callable
    start: Callable | None
    step: Callable
    nets: tuple[str, ...]


def prepare(config: ConfigDict) -> Setup:
    """Builds everything that `config` describes.

    Raises:
        InputError: a value is out of range, or two values do not fit each other.
    """
    mesh = sharding.make_mesh(data=config.mesh.data, fsdp=config.mesh.fsdp)
    check_numbers(config, mesh)
    model = build_autoencoder(config.model, channels=config.data.channels)
    model.tokens_shape(config.data.image_size, config.data.image_size)
    discriminator = build_discriminator(config.discriminator, config.model.dtype)
    loss_weights = check_weights(model, config.losses.to_dict())
    frozen = _frozen(config)
    schedule = optim.make_schedule(config.optim, config.num_steps)
    tx = optim.make_optimizer(config.optim, schedule, frozen=frozen)
    init = functools.partial(
        create_state,
        model,
        tx,
        image_size=config.data.image_size,
        ema_decay=config.ema_decay,
    )
    options = {
        "loss_weights": loss_weights,
        "perceptual": make_perceptual(config.perceptual, loss_weights),
        "ema_decay": config.ema_decay,
        "accumulation": config.optim.accumulation,
        "usage_window": config.usage_window,
        "frozen": frozen,
    }
    # Codes of another run are placed already.
    codes = model.quantizer.needs_data_init and not config.init_from
    if discriminator is None:
        step = vae_step.make_vae_step(model, tx, **options)
        start = generator.make_start(model) if codes else None
    else:
        init, step = _adversarial(config, model, discriminator, init, tx, options)
        start = gan_step.make_start(model, discriminator, codes=codes)
    return Setup(
        model=model,
        discriminator=discriminator,
        mesh=mesh,
        schedule=schedule,
        abstract_state=sharding.with_shardings(
            jax.eval_shape(init, jax.random.key(0)), mesh
        ),
        init=init,
        start=start,
        step=step,
        nets=(config.perceptual.net,) if PERCEPTUAL in loss_weights else (),
    )


def _adversarial(config, model, discriminator, init_generator, tx, options):
    """(init, step) of a run with a discriminator."""
    game = make_game(config.adversarial)
    if game.weighting == "adaptive" and "decoder" in options["frozen"]:
        raise InputError(
            "config.adversarial.weighting='adaptive' needs gradients of the decoder, "
            "which config.freeze holds fast; set config.adversarial.weighting='fixed'."
        )
    updates = config.num_steps - game.disc_start
    where = "config.disc_optim"
    disc_schedule = optim.make_schedule(config.disc_optim, max(1, updates), where)
    disc_tx = optim.make_optimizer(config.disc_optim, disc_schedule, where)

    def init(key):
        return AdversarialState(
            # The key that a run without discriminator uses, so that one seed gives one
            # model; the stream's is another key, hence the clone.
            generator=init_generator(key),
            discriminator=create_discriminator(
                discriminator,
                disc_tx,
                rng.stream(jax.random.clone(key), "discriminator"),
                image_size=config.data.image_size,
                channels=config.data.channels,
            ),
        )

    step = gan_step.make_gan_step(model, discriminator, tx, disc_tx, game, **options)
    return init, step


def _frozen(config: ConfigDict) -> tuple[str, ...]:
    modules = ("decoder", "encoder", "head", "quantizer")
    for name in config.freeze:
        check_choice(name, modules, "config.freeze")
    if config.freeze and not config.init_from:
        raise InputError(
            f"config.freeze={tuple(config.freeze)} would hold random parameters fast; "
            "name the run they come from in config.init_from."
        )
    return tuple(config.freeze)


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
