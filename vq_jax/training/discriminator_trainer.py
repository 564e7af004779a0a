"""The discriminator's part of a train step."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
from jax import lax

from vq_jax.losses import adversarial
from vq_jax.losses.adversarial_objective import AdversarialObjective
from vq_jax.models.discriminators.base import Discriminator
from vq_jax.models.layers.norms import BATCH_STATS
from vq_jax.ops import diff_augment
from vq_jax.training.state import TrainState

BALANCE = "balance"
"""Collection of LeCAM's averages of logits, and of the last value of R1."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DiscriminatorTrainer:
    """Initialises a discriminator, runs it, and updates it.

    Attributes:
        module: the discriminator.
        tx: its optimizer.
        objective: its loss, penalties and augmentation.
    """

    module: Discriminator
    tx: optax.GradientTransformation
    objective: AdversarialObjective

    def init(self, key, image_shape: tuple[int, int, int]) -> TrainState:
        """A fresh discriminator that has made no update."""
        images = jnp.zeros((1, *image_shape))
        variables = dict(self.module.init(key, images, train=False))
        params = variables.pop("params")
        zeros = {name: jnp.zeros(()) for name in ("real", "fake", "r1")}
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            variables={BATCH_STATS: variables.get(BATCH_STATS, {}), BALANCE: zeros},
            opt_state=self.tx.init(params),
            ema_params={},
        )

    def logits(self, params, stats, images, key):
        """Logits of a training pass over augmented images, and the statistics after."""
        logits, updated = self.module.apply(
            {"params": params, BATCH_STATS: stats},
            diff_augment.augment(key, images, self.objective.augment),
            train=True,
            mutable=[BATCH_STATS],
        )
        return logits, dict(updated).get(BATCH_STATS, {})

    def gradients(self, state: TrainState, stats, images, fakes, key):
        """`((grads, variables), metrics)` of a batch; `variables` are those after it.

        `images` and `fakes` are float32 in [-1, 1]; no gradient reaches the fakes'
        origin. Real and fake images pass separately, real ones first, so each has its
        own batch statistics; `stats` are the running ones. Metrics: the unweighted
        loss "discriminator", "logits_real", "logits_fake" (means), "disc_accuracy",
        and where they have weights "lecam" and "r1", that of the last step with it.
        """
        grads, (variables, metrics) = jax.grad(self._loss, has_aux=True)(
            state.params, state, stats, images, fakes, key
        )
        return (grads, variables), metrics

    def update(self, state: TrainState, grads, variables, *, learns) -> TrainState:
        """The state after an update, or the very same where `learns` is False."""
        new = state.apply_gradients(grads, self.tx, ema_decay=0.0)
        new = new.replace(variables=variables)
        return jax.tree.map(lambda n, o: jnp.where(learns, n, o), new, state)

    def _loss(self, params, state, stats, images, fakes, key):
        objective, balance = self.objective, state.variables[BALANCE]
        real_key, fake_key = jax.random.split(key)
        real, stats = self.logits(params, stats, images, real_key)
        fake, stats = self.logits(params, stats, lax.stop_gradient(fakes), fake_key)
        total = loss = objective.of_discriminator(real, fake)
        metrics = {
            "discriminator": loss,
            "logits_real": jnp.mean(real),
            "logits_fake": jnp.mean(fake),
            "disc_accuracy": adversarial.accuracy(real, fake),
        }
        if objective.lecam_weight:
            term = objective.lecam(real, fake, balance)
            metrics["lecam"] = term
            total += objective.lecam_weight * term
        if objective.r1_weight:
            due = state.step % objective.r1_every == 0
            again = jax.random.clone(real_key)
            term = lax.cond(
                due,
                lambda: adversarial.r1(
                    lambda x: self.logits(params, stats, x, again)[0], images
                ),
                lambda: jnp.zeros(()),
            )
            total += 0.5 * objective.r1_weight * objective.r1_every * term
            balance = {**balance, "r1": jnp.where(due, term, balance["r1"])}
            metrics["r1"] = balance["r1"]
        decay = objective.lecam_decay
        balance = {
            **balance,
            "real": decay * balance["real"] + (1.0 - decay) * jnp.mean(real),
            "fake": decay * balance["fake"] + (1.0 - decay) * jnp.mean(fake),
        }
        variables = {BATCH_STATS: stats, BALANCE: lax.stop_gradient(balance)}
        return total, (variables, metrics)
