"""Training an autoencoder against a discriminator: VQGAN."""

import functools
import math
from collections.abc import Mapping

import jax
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.losses.adversarial_objective import (
    AdversarialObjective,
    build_adversarial_objective,
)
from vq_jax.metrics.signs import Sign
from vq_jax.models.build import build_discriminator
from vq_jax.ops import images as image_ops
from vq_jax.training import optim, rng
from vq_jax.training.discriminator_trainer import DiscriminatorTrainer
from vq_jax.training.gan_step import GanStep
from vq_jax.training.optim import OptimizerFields
from vq_jax.training.state import AdversarialState
from vq_jax.training.tasks.autoencoder import AutoencoderFields, AutoencoderTask
from vq_jax.training.tasks.base import count_parameters

OPTIM = "config.disc_optim"


class AdversarialFields(AutoencoderFields):
    """The configuration of a run against a discriminator.

    Attributes:
        discriminator: one of `models/build.py: DISCRIMINATORS`, and its fields.
        disc_optim: the discriminator's optimizer.
    """

    discriminator: Mapping
    adversarial: AdversarialObjective
    disc_optim: OptimizerFields


class AdversarialTask(AutoencoderTask):
    """An autoencoder on images, as the generator, and a discriminator."""

    fields = AdversarialFields
    model_path = "generator"

    def __init__(self, config: ConfigDict):
        super().__init__(config)
        objective = build_adversarial_objective(config)
        if objective.weighting == "adaptive" and "decoder" in config.freeze:
            raise InputError(
                "config.adversarial.weighting='adaptive' needs gradients of the "
                "decoder, which config.freeze holds fast; set "
                "config.adversarial.weighting='fixed'."
            )
        updates = max(1, config.num_steps - objective.disc_start)
        schedule = optim.make_schedule(config.disc_optim, updates, OPTIM)
        self.discriminator = DiscriminatorTrainer(
            module=build_discriminator(config.discriminator, config.model.dtype),
            tx=optim.make_optimizer(config.disc_optim, schedule, OPTIM),
            objective=objective,
        )

    def init(self, key):
        return AdversarialState(
            # The key that a run without discriminator uses, so that one seed gives one
            # model; the stream's is another key, hence the clone.
            generator=super().init(key),
            discriminator=self.discriminator.init(
                rng.stream(jax.random.clone(key), "discriminator"), self.image_shape
            ),
        )

    @property
    def needs_data_init(self):
        return super().needs_data_init or self._discriminator_needs_it

    @property
    def _discriminator_needs_it(self) -> bool:
        return self.discriminator.module.needs_data_init

    def init_from_data(self, state, batch, key):
        if super().needs_data_init:
            generator = super().init_from_data(state.generator, batch, key)
            state = state.replace(generator=generator)
        if not self._discriminator_needs_it:
            return state
        # On reconstructions: the first images that VQGAN's released code shows it.
        images = image_ops.from_uint8(batch["image"])
        variables = {"params": state.generator.params, **state.generator.variables}
        _, updated = self.discriminator.module.apply(
            {"params": state.discriminator.params},
            self.model.apply(variables, images, train=False).recon,
            train=True,
            init_from_data=True,
            mutable=["params"],
        )
        discriminator = state.discriminator.replace(params=updated["params"])
        return state.replace(discriminator=discriminator)

    def init_from_run(self, state, workdir):
        generator, step = super().init_from_run(state.generator, workdir)
        return state.replace(generator=generator), step

    def check_training(self, abstract_state):
        super().check_training(abstract_state)
        # The discriminator starts with it or before: the objective has checked that.
        start, num_steps = self.discriminator.objective.gen_start, self.config.num_steps
        if start >= num_steps:
            raise InputError(
                f"config.adversarial.gen_start={start} is not before config.num_steps="
                f"{num_steps}: the discriminator would never play. Let it start "
                "earlier, train longer, or train without it: --config=FILE:vqvae."
            )

    @functools.cached_property
    def step(self):
        return GanStep(
            autoencoder=self.autoencoder,
            discriminator=self.discriminator,
            objective=self.objective,
            accumulation=self.config.optim.accumulation,
        )

    def signs(self):
        return {**super().signs(), **_imbalance(self.discriminator.objective)}

    def describe(self, abstract_state):
        objective = self.discriminator.objective
        parameters = count_parameters(abstract_state.discriminator.params)
        return {
            **super().describe(abstract_state.generator),
            "discriminator": f"{self.config.discriminator.name}, {parameters:,} "
            f"parameters, learns from step {objective.disc_start}, adversarial loss "
            f"from step {objective.gen_start}",
        }


def _imbalance(objective: AdversarialObjective) -> dict[str, Sign]:
    """Signs that the discriminator is too strong, or that its gradient has vanished."""
    # A fixed weight is logged as a ratio of 1, which is no clamp.
    adaptive = objective.weighting == "adaptive"
    max_weight = objective.max_weight if adaptive else math.inf
    return {
        "discriminator_won": Sign(
            # Before its loss acts on the generator nobody loses by that.
            lambda m: (
                m.get("train/adversarial_weight", 0.0) > 0.0
                and m.get("train/disc_accuracy", 0.0) > 0.99
            ),
            "the discriminator has won: it is right for every patch, and its gradient "
            "says little to the generator. Lower config.disc_optim.learning_rate, set "
            "config.discriminator.norm='spectral', give r1_weight or lecam_weight of "
            "config.adversarial a value, or augment what it sees (augment).",
        ),
        "weight_pinned": Sign(
            lambda m: m.get("train/adaptive_weight", 0.0) >= 0.999 * max_weight,
            f"the adaptive weight is pinned at its clamp, {max_weight:g}: the "
            "discriminator's gradient is far below the reconstruction's, and what is "
            "left of it is blown up. Lower config.adversarial.max_weight, or set "
            "config.adversarial.weighting='fixed'; see too whether the discriminator "
            "still learns (train/disc_grad_norm).",
        ),
    }
