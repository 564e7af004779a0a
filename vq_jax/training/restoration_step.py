"""The train step of a restorer."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from vq_jax.inference.restoration import Models, most_likely
from vq_jax.losses.code_prediction import CodePrediction
from vq_jax.metrics.joined import joined, prefixed
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.ops import images as image_ops
from vq_jax.training import rng
from vq_jax.training.accumulation import accumulate
from vq_jax.training.state import TrainState

STREAMS = ("dropout",)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RestorationStep:
    """One update of a restorer by the gradient of its objective.

    With `accumulation` > 1 the batch is worked through in so many equal parts, whose
    gradients are averaged.

    Attributes:
        models: the restorer and the tokenizer.
        objective: the weighted losses.
        tx: the optimizer.
        ema_decay: of averaged parameters, per step; 0 keeps none.
        accumulation: number of parts.
    """

    models: Models
    objective: CodePrediction
    tx: optax.GradientTransformation
    ema_decay: float = 0.0
    accumulation: int = 1

    def __call__(self, state: TrainState, batch, key, nets):
        """`(state, metrics)` after a global batch of "image" and "degraded".

        `nets["tokenizer"]` has the tokenizer's variables, which nothing trains. Metrics
        are float32 scalars: "train/loss", those of the objective, "train/code_accuracy"
        and "train/grad_norm".
        """
        tokenizer = nets[TOKENIZER]
        codes = self.models.codebook(tokenizer)

        def gradients(part, keys):
            images, degraded = (image_ops.from_uint8(x) for x in part)
            targets = self.models.targets(tokenizer, images)
            grads, metrics = jax.grad(self._loss, has_aux=True)(
                state.params, degraded, codes, targets, keys
            )
            return grads, {}, metrics

        keys = rng.step_keys(key, state.step, STREAMS)
        pair = (batch["image"], batch["degraded"])
        grads, _, metrics = accumulate(gradients, pair, keys, self.accumulation)
        metrics = joined(metrics, {"grad_norm": optax.tree.norm(grads)})
        state = state.apply_gradients(grads, self.tx, ema_decay=self.ema_decay)
        return state, prefixed("train/", metrics)

    def _loss(self, params, degraded, codes, targets, keys):
        indices, z_q = targets
        output = self.models.restorer.apply(
            {"params": params}, degraded, codes, train=True, rngs=keys
        )
        loss, logs = self.objective.loss(output.logits, output.z_e, indices, z_q)
        hits = most_likely(output.logits) == indices
        accuracy = jnp.mean(hits.astype(jnp.float32))
        return loss, joined({"loss": loss, "code_accuracy": accuracy}, logs)
