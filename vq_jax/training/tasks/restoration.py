"""Training a restorer: from degraded images to the codes of the clean ones."""

import functools
import math
from collections.abc import Mapping
from typing import NotRequired

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.config.tables import from_section
from vq_jax.data import degraded_batches, pipeline
from vq_jax.errors import InputError
from vq_jax.evaluation.build import build_evaluations
from vq_jax.evaluation.restoration import RestorationSubject
from vq_jax.inference.load import SavedTokenizer, open_tokenizer
from vq_jax.inference.load_restorer import (
    DegradationFields,
    build_models,
    initial_params,
    open_degradations,
    open_restorer,
)
from vq_jax.losses.objective import PerceptualFields
from vq_jax.losses.restoration import RestorationObjective
from vq_jax.metrics.signs import Sign
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.pretrained.lpips import lpips_nets
from vq_jax.training import optim, warm_start
from vq_jax.training.restoration_step import RestorationStep
from vq_jax.training.state import TrainState
from vq_jax.training.tasks.base import RunFields, Task, count_parameters


class RestorationFields(RunFields):
    """The configuration of a run that trains a restorer.

    Attributes:
        tokenizer: workdir of the run that trained the tokenizer.
        ema_decay: of averaged parameters, per step; 0 keeps none.
        degradation: what is done to the images.
        restorer: the fields of `models/restorer.py: Restorer`.
        perceptual: only with a weight of `losses.perceptual`.
    """

    tokenizer: str
    ema_decay: ranges.Decay
    degradation: DegradationFields
    restorer: Mapping
    losses: RestorationObjective
    perceptual: NotRequired[PerceptualFields]


class RestorationTask(Task):
    """A restorer, with the codes of a tokenizer that stays as it is.

    Args:
        config: of the run.
        tokenizer: the one that `config.tokenizer` names, if none is given.
    """

    fields = RestorationFields
    shown = (
        "train/loss",
        "train/cross_entropy",
        "train/latents",
        "train/code_accuracy",
    )

    def __init__(self, config: ConfigDict, tokenizer: SavedTokenizer | None = None):
        super().__init__(config)
        self.tokenizer = tokenizer or open_tokenizer(config.tokenizer)
        self.models = build_models(config, self.tokenizer)
        self.degradations = open_degradations(config)
        self.objective = _objective(config)
        self.learning_rate = optim.make_schedule(config.optim, config.num_steps)
        self._tx = optim.make_optimizer(config.optim, self.learning_rate)

    @property
    def nets(self):
        return {TOKENIZER: self.tokenizer.net, **lpips_nets(self.objective.nets)}

    @property
    def origin(self):
        return {TOKENIZER: self.tokenizer.digest}

    @property
    def abstract_batch(self):
        data, count = self.config.data, self.config.batch_size
        shape = (count, data.image_size, data.image_size, data.channels)
        images = jax.ShapeDtypeStruct(shape, "uint8")
        return {"image": images, "degraded": images}

    def batches(self, *, process_index=0, process_count=1):
        return degraded_batches.train_batches(
            self.config.data,
            self.degradations.train,
            seed=self.config.seed,
            batch_size=self.config.batch_size,
            process_index=process_index,
            process_count=process_count,
        )

    def describe_data(self):
        names = self.config.degradation
        return (
            f"{pipeline.describe(self.config.data)}\n"
            f"degraded by {names.train}, for evaluation by {names.eval}"
        )

    def init(self, key):
        params = initial_params(self.models, self.tokenizer, self.config.data, key)
        return TrainState.create(params, self._tx, ema_decay=self.config.ema_decay)

    @property
    def needs_data_init(self):
        # Not of data, but of arrays that `init`, which is pure, cannot read.
        return not self.config.init_from

    def init_from_data(self, state, batch, key):
        """The state with encoder and head as the tokenizer has them."""
        with jax.ensure_compile_time_eval():  # they are read while this is traced
            # By way of the host: a program for several devices takes no array of one.
            saved = jax.device_get(self.tokenizer.load()["params"])
        params = {**state.params}
        for name in ("encoder", "head"):
            if name in params:  # a head may have no parameters
                params[name] = jax.tree.map(jnp.asarray, saved[name])
        ema_params = jax.tree.map(jnp.copy, params) if state.ema_params else {}
        return state.replace(params=params, ema_params=ema_params)

    def init_from_run(self, state, workdir):
        # An error where its tokenizer is another one, whose codes mean other things.
        other = open_restorer(workdir, self.config.tokenizer)
        section, own = "config.restorer", {}
        if not other.models.restorer.fuse_levels:  # the third stage after the second
            own = {k: v for k, v in state.params.items() if k == "fusion"}
        params = {k: v for k, v in state.params.items() if k not in own}
        averaged = {k: v for k, v in state.ema_params.items() if k not in own}
        part = state.replace(params=params, ema_params=averaged)
        part, step = warm_start.init_from_run(part, workdir, section=section)
        params, averaged = {**part.params, **own}, part.ema_params
        if averaged:
            averaged = {**averaged, **jax.tree.map(jnp.copy, own)}
        # The optimizer's state is that of all parameters, as it was made with them.
        return part.replace(params=params, ema_params=averaged), step

    @functools.cached_property
    def step(self):
        return RestorationStep(
            models=self.models,
            objective=self.objective,
            tx=self._tx,
            ema_decay=self.config.ema_decay,
            accumulation=self.config.optim.accumulation,
        )

    def evaluations(self, mesh):
        data = self.config.data
        subject = RestorationSubject(
            self.models.restorer,
            data,
            data.eval_split,
            mesh,
            models=self.models,
            tokenizer=self.tokenizer,
            degradation=self.degradations.eval,
            seed=self.config.degradation.eval_seed,
        )
        return build_evaluations(self.config, subject)

    def signs(self):
        uniform = math.log(self.models.tokenizer.quantizer.codebook_size)
        start = self.config.optim.warmup_steps
        return {
            "codes_not_learnt": Sign(
                lambda metrics: metrics["train/cross_entropy"] > 1.05 * uniform,
                f"it predicts codes worse than chance ({uniform:.2f} nats). Lower "
                "config.optim.learning_rate, or set config.optim.clip_norm=1; at the "
                f"start, of {start} steps of warm-up, that may pass.",
            )
        }

    def describe(self, abstract_state):
        size = self.config.data.image_size
        grid = "x".join(map(str, self.models.tokenizer.tokens_shape(size, size)))
        codebook_size = self.models.tokenizer.quantizer.codebook_size
        return {
            "tokenizer": f"{self.tokenizer.workdir}, step {self.tokenizer.step}",
            "restorer": f"{count_parameters(abstract_state.params):,} parameters, "
            f"{grid} codes of {codebook_size}; uniform: "
            f"{math.log(codebook_size):.3f} nats a token",
        }


def _objective(config: ConfigDict) -> RestorationObjective:
    """That of `config.losses` and, for a perceptual loss, its network."""
    net = config.perceptual.net if "perceptual" in config else ""
    objective = from_section(
        RestorationObjective, config.losses, "config.losses", net=net
    )
    levels = tuple(config.restorer.fuse_levels)
    if objective.of_images and not levels:
        raise InputError(
            "config.losses.l1 and perceptual compare restored images, which teach "
            "nothing but fusions; take --config=FILE:fused, which has both, or set "
            "the weights 0."
        )
    if levels and not objective.of_images:
        raise InputError(
            f"config.restorer.fuse_levels={levels} learn from restored images; give "
            "config.losses.l1 or perceptual a weight above 0, or leave no levels."
        )
    return objective
