"""The train step of a restorer."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from vq_jax.inference.restoration import Models, most_likely
from vq_jax.losses.restoration import RestorationObjective
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
    objective: RestorationObjective
    tx: optax.GradientTransformation
    ema_decay: float = 0.0
    accumulation: int = 1

    def __call__(self, state: TrainState, batch, key, nets):
        """`(state, metrics)` after a global batch of "image" and "degraded".

        `nets["tokenizer"]` has the tokenizer's variables, and further ones what the
        objective needs; nothing trains them. Metrics are float32 scalars: "train/loss",
        those of the objective, "train/code_accuracy" and "train/grad_norm".
        """
        codes = self.models.codebook(nets[TOKENIZER])

        def gradients(part, keys):
            grads, metrics = jax.grad(self._loss, has_aux=True)(
                state.params,
                *(image_ops.from_uint8(images) for images in part),
                codes,
                nets,
                keys,
            )
            return grads, {}, metrics

        keys = rng.step_keys(key, state.step, STREAMS)
        pair = (batch["image"], batch["degraded"])
        grads, _, metrics = accumulate(gradients, pair, keys, self.accumulation)
        metrics = joined(metrics, {"grad_norm": optax.tree.norm(grads)})
        state = state.apply_gradients(grads, self.tx, ema_decay=self.ema_decay)
        return state, prefixed("train/", metrics)

    def _loss(self, params, images, degraded, codes, nets, keys):
        indices, z_q = self.models.targets(nets[TOKENIZER], images)
        output = self.models.restorer.apply(
            {"params": params}, degraded, codes, train=True, rngs=keys
        )
        z_e, predicted = output.encoded.z_e, most_likely(output.logits)
        loss, logs = self.objective.code_loss(output.logits, z_e, indices, z_q)
        if self.objective.of_images:
            restored = self.models.decode(
                {"params": params}, nets[TOKENIZER], predicted, output.encoded, 1.0
            )
            of_images, more = self.objective.image_loss(restored, images, nets)
            loss, logs = loss + of_images, joined(logs, more)
        accuracy = jnp.mean((predicted == indices).astype(jnp.float32))
        return loss, joined({"loss": loss, "code_accuracy": accuracy}, logs)
