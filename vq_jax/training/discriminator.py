"""The discriminator's side of a step."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax

from vq_jax.losses import adversarial
from vq_jax.models.discriminators.base import Discriminator
from vq_jax.models.layers.norms import BATCH_STATS
from vq_jax.ops import diff_augment
from vq_jax.training.game import Game, losses
from vq_jax.training.state import TrainState

BALANCE = "balance"
"""Collection of LeCAM's averages of logits, and of the last value of R1."""


def create_discriminator(
    discriminator: Discriminator,
    tx: optax.GradientTransformation,
    key,
    *,
    image_size: int,
    channels: int,
) -> TrainState:
    """A fresh discriminator that has made no update."""
    images = jnp.zeros((1, image_size, image_size, channels))
    variables = dict(discriminator.init(key, images, train=False))
    params = variables.pop("params")
    zeros = {name: jnp.zeros(()) for name in ("real", "fake", "r1")}
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        variables={BATCH_STATS: variables.get(BATCH_STATS, {}), BALANCE: zeros},
        opt_state=tx.init(params),
        ema_params={},
        usage={},
    )


def discriminate(discriminator: Discriminator, params, stats, images):
    """Logits of a training pass, and the running statistics after it."""
    logits, updated = discriminator.apply(
        {"params": params, BATCH_STATS: stats},
        images,
        train=True,
        mutable=[BATCH_STATS],
    )
    return logits, dict(updated).get(BATCH_STATS, {})


def make_judge(discriminator: Discriminator, game: Game) -> Callable:
    """Returns `judge(state, images, fakes, key) -> ((grads, variables), metrics)`.

    `images` and `fakes` are float32 in [-1, 1]; no gradient reaches the fakes' origin.
    Real and fake images pass separately, so each has its own batch statistics, real
    ones first. `variables` are those after the step. The metrics: the unweighted loss
    "discriminator", "logits_real", "logits_fake" (means), "disc_accuracy", and where
    they have weights "lecam" and "r1", the latter of the last step that computed it.
    """
    _, loss_of = losses(game)

    def loss_fn(params, state, images, fakes, key):
        keys = jax.random.split(key)
        stats, balance = state.variables[BATCH_STATS], state.variables[BALANCE]

        def logits(images, key, stats):
            images = diff_augment.augment(key, images, game.augment)
            return discriminate(discriminator, params, stats, images)

        real, stats = logits(images, keys[0], stats)
        fake, stats = logits(lax.stop_gradient(fakes), keys[1], stats)
        total = loss = loss_of(real, fake)
        metrics = {
            "discriminator": loss,
            "logits_real": jnp.mean(real),
            "logits_fake": jnp.mean(fake),
            "disc_accuracy": adversarial.accuracy(real, fake),
        }
        if game.lecam_weight:
            term = adversarial.lecam(real, fake, balance["real"], balance["fake"])
            metrics["lecam"] = term
            total += game.lecam_weight * term
        if game.r1_weight:
            due = state.step % game.r1_every == 0
            term = lax.cond(
                due,
                lambda: adversarial.r1(
                    lambda x: logits(x, jax.random.clone(keys[0]), stats)[0], images
                ),
                lambda: jnp.zeros(()),
            )
            total += 0.5 * game.r1_weight * game.r1_every * term
            balance = {**balance, "r1": jnp.where(due, term, balance["r1"])}
            metrics["r1"] = balance["r1"]
        balance = {
            **balance,
            "real": _averaged(balance["real"], real, game.lecam_decay),
            "fake": _averaged(balance["fake"], fake, game.lecam_decay),
        }
        balance = lax.stop_gradient(balance)
        return total, ({BATCH_STATS: stats, BALANCE: balance}, metrics)

    def judge(state: TrainState, images, fakes, key):
        grads, (variables, metrics) = jax.grad(loss_fn, has_aux=True)(
            state.params, state, images, fakes, key
        )
        return (grads, variables), metrics

    return judge


def apply_update(
    state: TrainState, tx: optax.GradientTransformation, grads, variables, playing
) -> TrainState:
    """The state after an update, or the very state where `playing` is False."""
    new = state.apply_gradients(grads, tx, ema_decay=0.0).replace(variables=variables)
    return jax.tree.map(lambda n, o: jnp.where(playing, n, o), new, state)


def _averaged(average, logits, decay: float):
    return decay * average + (1.0 - decay) * jnp.mean(logits)
