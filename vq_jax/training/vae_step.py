"""The train step of an autoencoder: VQ-VAE, VAE, or no bottleneck at all."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from vq_jax.losses import terms
from vq_jax.losses.weighted import weighted_sum
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.quantizers import base
from vq_jax.ops import code_usage
from vq_jax.ops import images as image_ops
from vq_jax.training import rng
from vq_jax.training.state import TrainState

STREAMS = ("codebook", "posterior")
RECORDED = (base.STATISTICS, base.CANDIDATES)
COUNTS = "code_counts"
SUMMED = (base.STATISTICS, COUNTS)  # over the parts of a batch


def make_vae_step(
    model: Autoencoder,
    tx: optax.GradientTransformation,
    *,
    loss_weights: Mapping[str, float],
    ema_decay: float = 0.0,
    accumulation: int = 1,
    usage_window: int = 1_024,
) -> Callable:
    """Returns `step(state, batch, key) -> (state, metrics)`, for the global batch.

    `batch["image"]` is uint8 [b, h, w, c]. With `accumulation` > 1 the batch is worked
    through in so many equal parts; gradients are means and codebook statistics sums
    over all parts, so the update is that of the whole batch, in less memory. Metrics
    are float32 scalars, losses unweighted, means over the batch; usage and perplexity
    are those of the last `usage_window` images (`code_usage.window_summary`).
    """

    def loss_fn(params, variables, images, keys):
        output, recorded = model.apply(
            {"params": params, **variables},
            images,
            train=True,
            rngs=keys,
            mutable=RECORDED,
        )
        losses = terms.autoencoder_terms(model, output, images, tuple(loss_weights))
        total, logs = weighted_sum(losses, loss_weights)
        counts = _code_counts(model.quantizer, output.quantized.indices)
        recorded = {**recorded, **counts}
        return total, (recorded, {"loss": total, **logs, **output.quantized.metrics})

    def gradients(state, images, keys):
        grads, (recorded, metrics) = jax.grad(loss_fn, has_aux=True)(
            state.params, state.variables, image_ops.from_uint8(images), keys
        )
        return grads, recorded, metrics

    def step(state: TrainState, batch, key):
        keys = rng.step_keys(key, state.step, STREAMS)
        if accumulation == 1:
            grads, recorded, metrics = gradients(state, batch["image"], keys)
        else:
            grads, recorded, metrics = _accumulate(
                gradients, state, batch["image"], keys, accumulation
            )
        metrics["grad_norm"] = optax.tree.norm(grads)
        state = state.apply_gradients(grads, tx, ema_decay=ema_decay)
        if state.usage:
            usage = code_usage.extend_window(
                state.usage, recorded[COUNTS], len(batch["image"]), usage_window
            )
            state = state.replace(usage=usage)
            metrics |= code_usage.window_summary(usage)
        state = _changed_by("update_codebook", model, state, recorded)
        return state, {f"train/{name}": value for name, value in metrics.items()}

    return step


def _code_counts(quantizer: base.Quantizer, indices) -> dict:
    """COUNTS of a batch; nothing for a quantizer without codes."""
    if not quantizer.codebook_size:
        return {}
    counts = code_usage.code_counts(
        indices, quantizer.codebook_size, num_codebooks=quantizer.num_codebooks
    )
    return {COUNTS: counts}


def _changed_by(
    method: str, model: Autoencoder, state: TrainState, recorded, *args, rngs=None
) -> TrainState:
    """The state with the parameters and variables that the model's method leaves."""
    variables = {"params": state.params, **state.variables}
    _, updated = model.apply(
        {**variables, **_pick(recorded, RECORDED)},
        *args,
        method=method,
        rngs=rngs,
        mutable=list(variables),
    )
    updated = dict(updated)
    return state.replace(params=updated.pop("params"), variables=updated)


def _accumulate(gradients: Callable, state, images, keys, parts: int):
    """Gradients and metrics averaged, statistics summed over `parts` of the batch."""
    # Strided parts, so that every device keeps its own rows.
    images = images.reshape(-1, parts, *images.shape[1:]).swapaxes(0, 1)

    def body(carry, xs):
        part, index = xs
        part_keys = {k: jax.random.fold_in(v, index) for k, v in keys.items()}
        grads, recorded, metrics = gradients(state, part, part_keys)
        grad_sum, statistics, metric_sum = carry
        return (
            jax.tree.map(jnp.add, grad_sum, grads),
            jax.tree.map(jnp.add, statistics, _pick(recorded, SUMMED)),
            jax.tree.map(jnp.add, metric_sum, metrics),
        ), recorded.get(base.CANDIDATES, {})

    shapes = jax.eval_shape(gradients, state, images[0], keys)
    zeros = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        (shapes[0], _pick(shapes[1], SUMMED), shapes[2]),
    )
    (grads, statistics, metrics), candidates = jax.lax.scan(
        body, zeros, (images, jnp.arange(parts))
    )
    grads, metrics = jax.tree.map(lambda leaf: leaf / parts, (grads, metrics))
    last = jax.tree.map(lambda leaf: leaf[-1], candidates)
    return grads, {**statistics, base.CANDIDATES: last}, metrics


def _pick(recorded: Mapping, names: tuple[str, ...]) -> dict:
    return {name: recorded[name] for name in names if name in recorded}


def make_start(model: Autoencoder) -> Callable:
    """Returns `start(state, batch, key) -> state`: codes placed on the first batch."""

    def start(state: TrainState, batch, key):
        images = image_ops.from_uint8(batch["image"])
        keys = rng.step_keys(key, state.step, ("codebook",))
        state = _changed_by("start_codebook", model, state, {}, images, rngs=keys)
        if state.ema_params:
            state = state.replace(ema_params=jax.tree.map(jnp.copy, state.params))
        return state

    return start
