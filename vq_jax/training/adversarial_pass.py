"""The generator's side of an adversarial step: its gradients, in one backward pass."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from vq_jax.losses import adversarial, terms
from vq_jax.losses.weighted import weighted_sum
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.discriminators.base import Discriminator
from vq_jax.models.layers.norms import BATCH_STATS
from vq_jax.ops import diff_augment
from vq_jax.training import discriminator as disc
from vq_jax.training import generator
from vq_jax.training.game import Game, losses
from vq_jax.training.state import AdversarialState


class Played(NamedTuple):
    """What the generator's pass leaves."""

    grads: Any  # of the autoencoder's parameters
    stats: Any  # running statistics of the discriminator, which saw the fakes
    recon: Any  # float32 [b, h, w, c], the fakes
    recorded: dict  # for the update of `generator.make_update`
    metrics: dict


def make_play(
    model: Autoencoder,
    discriminator: Discriminator,
    game: Game,
    *,
    loss_weights: Mapping[str, float],
    perceptual: Callable | None,
    frozen: tuple[str, ...],
) -> Callable:
    """Returns `play(state, images, keys, nets) -> Played`, images in [-1, 1].

    The losses of the decoder's outputs are differentiated with respect to these, where
    they are cheap, and go back through the autoencoder as one weighted sum.
    """
    image_weights, latent_weights = terms.split_weights(loss_weights)
    forward = _make_forward(model, latent_weights, frozen)
    adversarial_loss = _make_adversarial_loss(model, discriminator, game)

    def image_loss(outputs, images, nets):
        of_images = terms.image_terms(
            model, outputs, images, tuple(image_weights), perceptual, nets
        )
        return weighted_sum(of_images, image_weights)

    def play(state: AdversarialState, images, keys, nets) -> Played:
        (outputs, latent), vjp, (output, recorded, logs) = jax.vjp(
            lambda params: forward(params, state.generator.variables, images, keys),
            state.generator.params,
            has_aux=True,
        )
        (image, image_logs), image_grad = jax.value_and_grad(image_loss, has_aux=True)(
            outputs, images, nets
        )
        (against, stats), against_grad = jax.value_and_grad(
            adversarial_loss, has_aux=True
        )(outputs, state.discriminator, keys["augment_generator"])
        ratio = _ratio(model, game, vjp, image_grad, against_grad)
        risen = adversarial.ramp(state.step, start=game.gen_start, length=game.gen_ramp)
        weight = game.weight * ratio * risen
        (grads,) = vjp((image_grad + weight * against_grad, jnp.ones(())))
        metrics = {
            "loss": image + latent + weight * against,
            **image_logs,
            **logs,
            **output.quantized.metrics,
            "adversarial": against,
            "adaptive_weight": ratio,
            "adversarial_weight": weight,
        }
        return Played(grads, stats, output.recon, recorded, metrics)

    return play


def _make_forward(model, latent_weights, frozen) -> Callable:
    """params, … -> ((outputs, loss of the latents), what needs no gradient)."""

    def forward(params, variables, images, keys):
        output, recorded = generator.forward(
            model, params, variables, images, keys, frozen
        )
        of_latents = terms.latent_terms(output, images, tuple(latent_weights))
        latent, logs = weighted_sum(of_latents, latent_weights)
        return (output.outputs, latent), (output, recorded, logs)

    return forward


def _make_adversarial_loss(model, discriminator, game: Game) -> Callable:
    loss_of, _ = losses(game)

    def adversarial_loss(outputs, state, key):
        recon = model.likelihood.mean(outputs, model.channels)
        logits, stats = disc.discriminate(
            discriminator,
            state.params,
            state.variables[BATCH_STATS],
            diff_augment.augment(key, recon, game.augment),
        )
        return loss_of(logits), stats

    return adversarial_loss


def _ratio(model, game: Game, vjp, image_grad, against_grad):
    """The adaptive weight, or 1 where it is fixed."""
    if game.weighting == "fixed":
        return jnp.ones(())

    def last_kernel_grad(cotangent):
        # Compiled, this costs the weight gradient of one layer: nothing uses the rest
        # of the backward pass, and XLA drops it.
        (grads,) = vjp((cotangent, jnp.zeros(())))
        module, name = model.decoder.last_kernel
        return grads["decoder"][module][name]

    return adversarial.adaptive_weight(
        last_kernel_grad(image_grad),
        last_kernel_grad(against_grad),
        min_weight=game.min_weight,
        max_weight=game.max_weight,
    )
