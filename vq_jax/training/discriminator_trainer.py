"""The discriminator's part of a train step."""

import dataclasses

import jax
import jax.numpy as jnp
import optax
from jax import lax

from vq_jax.losses import adversarial, joint_gradients
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

    def generator_gradient(self, state: TrainState, fakes, key):
        """`(loss, gradient by fakes, statistics after)`: the unweighted generator's."""

        def loss(fakes):
            logits, stats = self.logits(
                state.params, state.variables[BATCH_STATS], fakes, key
            )
            return self.objective.of_generator(logits), stats

        (loss, stats), by_fakes = jax.value_and_grad(loss, has_aux=True)(fakes)
        return loss, by_fakes, stats

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

    def both_gradients(self, state: TrainState, images, fakes, generator_key, key):
        """`(generator's loss, gradient by fakes, what `gradients` returns)`.

        Where the discriminator is homogeneous, and nothing is augmented, one backward
        pass of the fakes and one of the real images give all, up to rounding.
        """
        if self.module.homogeneous and not self.objective.augment:
            return self._joint_gradients(state, images, fakes, key)
        loss, by_fakes, stats = self.generator_gradient(state, fakes, generator_key)
        return loss, by_fakes, self.gradients(state, stats, images, fakes, key)

    def update(self, state: TrainState, grads, variables, *, learns) -> TrainState:
        """The state after an update, or the very same where `learns` is False."""
        new = state.apply_gradients(grads, self.tx, ema_decay=0.0)
        new = new.replace(variables=variables)
        return jax.tree.map(lambda n, o: jnp.where(learns, n, o), new, state)

    def _joint_gradients(self, state, images, fakes, key):
        objective, balance = self.objective, state.variables[BALANCE]

        def logits(params, images):
            return self.logits(params, {}, images, key)[0]

        fake, backward_of_fakes = jax.vjp(logits, state.params, fakes)
        real, backward_of_real = jax.vjp(lambda p: logits(p, images), state.params)
        (real_cotangent, fake_cotangent), metrics = jax.grad(
            self._loss_of_logits, argnums=(0, 1), has_aux=True
        )(real, fake, balance)
        loss, for_fakes = jax.value_and_grad(objective.of_generator)(fake)
        from_fakes, by_fakes = joint_gradients.of_fakes(
            backward_of_fakes, fake_cotangent, for_fakes
        )

        def with_r1():
            return joint_gradients.with_r1(
                logits, state.params, images, real_cotangent, self._r1_weight
            )

        def without_r1():
            return *backward_of_real(real_cotangent), balance["r1"]

        if objective.r1_weight:
            from_real, metrics["r1"] = self._where_due(state, with_r1, without_r1)
        else:
            from_real, _ = without_r1()
        grads = jax.tree.map(jnp.add, from_real, from_fakes)
        variables = self._variables(balance, {}, metrics)
        return loss, by_fakes, ((grads, variables), metrics)

    def _loss(self, params, state, stats, images, fakes, key):
        objective, balance = self.objective, state.variables[BALANCE]
        real_key, fake_key = jax.random.split(key)
        real, stats = self.logits(params, stats, images, real_key)
        fake, stats = self.logits(params, stats, lax.stop_gradient(fakes), fake_key)
        total, metrics = self._loss_of_logits(real, fake, balance)
        if objective.r1_weight:
            again = jax.random.clone(real_key)

            def penalty():
                term = adversarial.r1(
                    lambda x: self.logits(params, stats, x, again)[0], images
                )
                return term, term

            term, metrics["r1"] = self._where_due(
                state, penalty, lambda: (jnp.zeros(()), balance["r1"])
            )
            total += self._r1_weight * term
        return total, (self._variables(balance, stats, metrics), metrics)

    def _loss_of_logits(self, real, fake, balance):
        """The loss with LeCAM, and metrics."""
        objective = self.objective
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
        return total, metrics

    def _where_due(self, state, with_r1, without_r1):
        """The result of one of two functions, by the step."""
        if self.objective.r1_every == 1:  # a condition would hide one from the other
            return with_r1()
        due = state.step % self.objective.r1_every == 0
        return lax.cond(due, with_r1, without_r1)

    @property
    def _r1_weight(self) -> float:
        """Of R1, in a step with it."""
        return 0.5 * self.objective.r1_weight * self.objective.r1_every

    def _variables(self, balance, stats, metrics):
        """The discriminator's variables after a batch with these metrics."""
        decay = self.objective.lecam_decay
        balance = {
            "real": decay * balance["real"] + (1.0 - decay) * metrics["logits_real"],
            "fake": decay * balance["fake"] + (1.0 - decay) * metrics["logits_fake"],
            "r1": metrics.get("r1", balance["r1"]),
        }
        return {BATCH_STATS: stats, BALANCE: lax.stop_gradient(balance)}
