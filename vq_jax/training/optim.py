"""Optax optimizers and schedules from configuration."""

from typing import Annotated, TypedDict

import jax
import optax
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.config.checks import choose
from vq_jax.errors import InputError

# name -> the Optax function, and the fields of config.optim that it takes
OPTIMIZERS = {
    "adam": (optax.adam, ("b1", "b2", "eps")),
    "adamw": (optax.adamw, ("b1", "b2", "eps", "weight_decay")),
    "lion": (optax.lion, ("b1", "b2", "weight_decay")),
    "rmsprop": (optax.rmsprop, ("momentum", "eps")),
    "sgd": (optax.sgd, ("momentum",)),
}


class OptimizerFields(TypedDict):
    """An optimizer and its schedule, as in `config.disc_optim`.

    Attributes:
        name: one of OPTIMIZERS.
        learning_rate: at the end of warm-up.
        schedule: one of SCHEDULES.
        warmup_steps: updates of a linear rise to `learning_rate`.
        final_fraction: of `learning_rate`, at the end of cosine and linear.
        clip_norm: largest global norm of the gradients; 0 does not clip.
        b1, b2, eps, momentum, weight_decay: of those optimizers that take them.
    """

    name: str
    learning_rate: ranges.Weight
    schedule: str
    warmup_steps: ranges.Steps
    final_fraction: ranges.Fraction
    clip_norm: ranges.Weight
    b1: ranges.Decay
    b2: ranges.Decay
    eps: Annotated[float, ranges.Range(1e-30, 1.0)]  # a gradient of 0 is divided by it
    momentum: ranges.Decay
    weight_decay: ranges.Weight


class OptimFields(OptimizerFields):
    """The section `config.optim`.

    Attributes:
        accumulation: number of parts that a batch is worked through in.
    """

    accumulation: ranges.Count


def _constant(config: ConfigDict, steps: int) -> optax.Schedule:
    return optax.constant_schedule(config.learning_rate)


def _cosine(config: ConfigDict, steps: int) -> optax.Schedule:
    return optax.cosine_decay_schedule(
        config.learning_rate, steps, alpha=config.final_fraction
    )


def _linear(config: ConfigDict, steps: int) -> optax.Schedule:
    final = config.learning_rate * config.final_fraction
    return optax.linear_schedule(config.learning_rate, final, steps)


SCHEDULES = {"constant": _constant, "cosine": _cosine, "linear": _linear}


def make_schedule(
    config: ConfigDict, num_steps: int, where: str = "config.optim"
) -> optax.Schedule:
    """Step -> learning rate: linear warm-up, then the schedule that `config` names.

    Raises:
        InputError: the schedule is unknown, or warm-up longer than the run.
    """
    make = choose(SCHEDULES, config.schedule, f"{where}.schedule")
    warmup = config.warmup_steps
    if not 0 <= warmup <= num_steps:
        raise InputError(
            f"{where}.warmup_steps={warmup} must be in [0, {num_steps}], "
            "the number of updates until config.num_steps."
        )
    after = make(config, max(1, num_steps - warmup))
    if not warmup:
        return after
    # From lr/warmup, not from 0: the first step of a run should count.
    rise = optax.linear_schedule(
        config.learning_rate / warmup, config.learning_rate, warmup
    )
    return optax.join_schedules([rise, after], [warmup])


def make_optimizer(
    config: ConfigDict,
    schedule: optax.Schedule,
    where: str = "config.optim",
    frozen: tuple[str, ...] = (),
) -> optax.GradientTransformation:
    """Clipping by global norm (where `clip_norm` > 0), then the optimizer of `config`.

    Each optimizer takes those fields of `config` that OPTIMIZERS lists for it. Weight
    decay acts on kernels only: not on biases, norms and codebooks. Parameters of the
    modules named in `frozen` get no update and have no state.

    Raises:
        InputError: the optimizer is unknown, or weight decay is set for one without.
    """
    make, fields = choose(OPTIMIZERS, config.name, f"{where}.name")
    if config.weight_decay and "weight_decay" not in fields:
        raise InputError(
            f"{where}.weight_decay={config.weight_decay} has no effect on "
            f"{config.name!r}; choose 'adamw' or 'lion', or set it to 0."
        )
    options = {field: config[field] for field in fields}
    if "weight_decay" in fields:
        options["mask"] = _is_kernel
    transforms = [make(schedule, **options)]
    if config.clip_norm > 0:
        transforms.insert(0, optax.clip_by_global_norm(config.clip_norm))
    tx = optax.chain(*transforms)
    if not frozen:
        return tx

    def labels(params):
        return {name: "frozen" if name in frozen else "learns" for name in params}

    return optax.multi_transform({"learns": tx, "frozen": optax.set_to_zero()}, labels)


def _is_kernel(params):
    def last_name(path, _):
        return path[-1].key.endswith("kernel")

    return jax.tree_util.tree_map_with_path(last_name, params)
