"""The train step of an autoencoder: VQ-VAE, VAE, or no bottleneck at all."""

import dataclasses

import jax

from vq_jax.losses.objective import Objective
from vq_jax.metrics.joined import joined, prefixed
from vq_jax.ops import images as image_ops
from vq_jax.training import rng
from vq_jax.training.accumulation import accumulate
from vq_jax.training.autoencoder_trainer import STREAMS, AutoencoderTrainer
from vq_jax.training.state import AutoencoderState


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class VaeStep:
    """One update of an autoencoder by the gradient of its objective.

    With `accumulation` > 1 the batch is worked through in so many equal parts:
    gradients are means and codebook statistics sums over all of them, so the update is
    that of the whole batch, in less memory.

    Attributes:
        autoencoder: the model and how it is updated.
        objective: its losses.
        accumulation: number of parts.
    """

    autoencoder: AutoencoderTrainer
    objective: Objective
    accumulation: int = 1

    def __call__(self, state: AutoencoderState, batch, key, nets=None):
        """`(state, metrics)` after a global batch.

        `batch["image"]` is uint8 [b, h, w, c]; `nets` has the parameters of the
        objective's pretrained networks, which nothing trains. Metrics are float32
        scalars: "train/loss", each loss unweighted, the quantizer's, and those of
        `AutoencoderTrainer.update`.
        """

        def gradients(images, keys):
            grads, (recorded, metrics) = jax.grad(self._loss, has_aux=True)(
                state.params, state.variables, image_ops.from_uint8(images), keys, nets
            )
            return grads, recorded, metrics

        keys = rng.step_keys(key, state.step, STREAMS)
        images = batch["image"]
        grads, recorded, metrics = accumulate(
            gradients, images, keys, self.accumulation
        )
        state, update = self.autoencoder.update(state, grads, recorded, len(images))
        return state, prefixed("train/", joined(metrics, update))

    def _loss(self, params, variables, images, keys, nets):
        output, recorded = self.autoencoder.forward(params, variables, images, keys)
        total, losses = self.objective.loss(output, images, nets)
        metrics = joined({"loss": total}, losses, output.quantized.metrics)
        return total, (recorded, metrics)
