"""The train step of an autoencoder: VQ-VAE, VAE, or no bottleneck at all."""

from collections.abc import Callable, Mapping

import jax
import optax

from vq_jax.losses import terms
from vq_jax.losses.weighted import weighted_sum
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.ops import images as image_ops
from vq_jax.training import generator, rng
from vq_jax.training.state import TrainState


def make_vae_step(
    model: Autoencoder,
    tx: optax.GradientTransformation,
    *,
    loss_weights: Mapping[str, float],
    perceptual: Callable | None = None,
    ema_decay: float = 0.0,
    accumulation: int = 1,
    usage_window: int = 1_024,
    frozen: tuple[str, ...] = (),
) -> Callable:
    """Returns `step(state, batch, key, nets=None) -> (state, metrics)`, global batch.

    `batch["image"]` is uint8 [b, h, w, c]. With `accumulation` > 1 the batch is worked
    through in so many equal parts; gradients are means and codebook statistics sums
    over all parts, so the update is that of the whole batch, in less memory. Metrics
    are float32 scalars, losses unweighted, means over the batch; usage and perplexity
    are those of the last `usage_window` images (`code_usage.window_summary`).

    Args:
        perceptual: (nets, recon, images) -> distances [b], for the term "perceptual";
            `nets` are the parameters that `step` is called with, which nothing trains.
        frozen: names of the model's modules that stay as they are.
    """
    update = generator.make_update(
        model, tx, ema_decay=ema_decay, usage_window=usage_window, frozen=frozen
    )

    def loss_fn(params, variables, images, keys, nets):
        output, recorded = generator.forward(
            model, params, variables, images, keys, frozen
        )
        losses = terms.autoencoder_terms(
            model, output, images, tuple(loss_weights), perceptual, nets
        )
        total, logs = weighted_sum(losses, loss_weights)
        return total, (recorded, {"loss": total, **logs, **output.quantized.metrics})

    def step(state: TrainState, batch, key, nets=None):
        def gradients(images, keys):
            grads, (recorded, metrics) = jax.grad(loss_fn, has_aux=True)(
                state.params, state.variables, image_ops.from_uint8(images), keys, nets
            )
            return grads, recorded, metrics

        keys = rng.step_keys(key, state.step, generator.STREAMS)
        images = batch["image"]
        grads, recorded, metrics = generator.accumulate(
            gradients, images, keys, accumulation
        )
        state, of_update = update(state, grads, recorded, len(images))
        metrics |= of_update
        return state, {f"train/{name}": value for name, value in metrics.items()}

    return step
