"""Train steps of tiny models, and states to call them with."""

from collections.abc import Mapping

import jax
import optax

from vq_jax.losses.adversarial_objective import AdversarialObjective
from vq_jax.losses.objective import Objective
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.discriminators.base import Discriminator
from vq_jax.training.autoencoder_trainer import AutoencoderTrainer
from vq_jax.training.discriminator_trainer import DiscriminatorTrainer
from vq_jax.training.gan_step import GanStep
from vq_jax.training.state import AdversarialState, AutoencoderState
from vq_jax.training.vae_step import VaeStep


def vae_step(
    model: Autoencoder,
    tx: optax.GradientTransformation,
    weights: Mapping[str, float],
    *,
    accumulation: int = 1,
    **fields,
) -> VaeStep:
    """The step of an autoencoder alone; `fields` are those of its trainer."""
    return VaeStep(
        autoencoder=AutoencoderTrainer(model=model, tx=tx, **fields),
        objective=Objective(model, weights),
        accumulation=accumulation,
    )


def gan_step(
    alone: VaeStep,
    discriminator: Discriminator,
    tx: optax.GradientTransformation,
    objective: AdversarialObjective,
) -> GanStep:
    """The step of `alone` with a discriminator, whose optimizer is `tx`."""
    return GanStep(
        autoencoder=alone.autoencoder,
        discriminator=DiscriminatorTrainer(
            module=discriminator, tx=tx, objective=objective
        ),
        objective=alone.objective,
        accumulation=alone.accumulation,
    )


def init_vae(step: VaeStep, key, image_size: int = 16) -> AutoencoderState:
    """A fresh state of a step on RGB images."""
    return jax.jit(step.autoencoder.init, static_argnums=1)(key, image_size)


def init_gan(step: GanStep, key, image_size: int = 16) -> AdversarialState:
    """A fresh state of both sides of a step on RGB images."""

    def init(key):
        generator, discriminator = jax.random.split(key)
        shape = (image_size, image_size, 3)
        return AdversarialState(
            step.autoencoder.init(generator, image_size),
            step.discriminator.init(discriminator, shape),
        )

    return jax.jit(init)(key)
