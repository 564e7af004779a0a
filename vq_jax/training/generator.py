"""What the steps of VQ-VAE and VQGAN share: the autoencoder's pass and its update."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from vq_jax.models.autoencoder import Autoencoder, AutoencoderOutput
from vq_jax.models.quantizers import base
from vq_jax.ops import code_usage
from vq_jax.ops import images as image_ops
from vq_jax.training import rng
from vq_jax.training.state import TrainState

STREAMS = ("codebook", "dropout", "posterior")
RECORDED = (base.STATISTICS, base.CANDIDATES)
COUNTS = "code_counts"
SUMMED = (base.STATISTICS, COUNTS)  # over the parts of a batch


def forward(
    model: Autoencoder, params, variables, images, keys, frozen: tuple[str, ...] = ()
) -> tuple[AutoencoderOutput, dict]:
    """A training pass, and what it recorded for the update.

    No gradient reaches the parameters of the modules named in `frozen`.
    """
    params = {
        name: jax.lax.stop_gradient(part) if name in frozen else part
        for name, part in params.items()
    }
    output, recorded = model.apply(
        {"params": params, **variables},
        images,
        train=True,
        rngs=keys,
        mutable=RECORDED,
    )
    return output, {**recorded, **_code_counts(model, output.quantized.indices)}


def make_update(
    model: Autoencoder,
    tx: optax.GradientTransformation,
    *,
    ema_decay: float,
    usage_window: int,
    frozen: tuple[str, ...],
) -> Callable:
    """Returns `update(state, grads, recorded, num_images) -> (state, metrics)`.

    Parameters, averages, usage and codebook after a batch. What belongs to modules
    named in `frozen` stays, bit for bit. Metrics: "grad_norm", and those of
    `code_usage.window_summary`.
    """

    def update(state: TrainState, grads, recorded: Mapping, num_images: int):
        metrics = {"grad_norm": optax.tree.norm(grads)}
        kept = {k: v for k, v in state.ema_params.items() if k in frozen}
        state = state.apply_gradients(grads, tx, ema_decay=ema_decay)
        state = state.replace(ema_params={**state.ema_params, **kept})
        if state.usage:
            usage = code_usage.extend_window(
                state.usage, recorded[COUNTS], num_images, usage_window
            )
            state = state.replace(usage=usage)
            metrics |= code_usage.window_summary(usage)
        if "quantizer" not in frozen:
            state = _changed_by("update_codebook", model, state, recorded)
        return state, metrics

    return update


def accumulate(gradients: Callable, images, keys, parts: int):
    """`gradients(images, keys) -> (means, recorded, metrics)` over parts of a batch.

    Means and metrics are averaged over the parts, statistics and counts summed, and
    candidates those of the last part.
    """
    if parts == 1:
        return gradients(images, keys)
    # Strided parts, so that every device keeps its own rows.
    images = images.reshape(-1, parts, *images.shape[1:]).swapaxes(0, 1)

    def body(carry, xs):
        part, index = xs
        part_keys = {k: jax.random.fold_in(v, index) for k, v in keys.items()}
        means, recorded, metrics = gradients(part, part_keys)
        new = (means, _pick(recorded, SUMMED), metrics)
        return jax.tree.map(jnp.add, carry, new), recorded.get(base.CANDIDATES, {})

    shapes = jax.eval_shape(gradients, images[0], keys)
    zeros = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        (shapes[0], _pick(shapes[1], SUMMED), shapes[2]),
    )
    (means, statistics, metrics), candidates = jax.lax.scan(
        body, zeros, (images, jnp.arange(parts))
    )
    means, metrics = jax.tree.map(lambda leaf: leaf / parts, (means, metrics))
    last = jax.tree.map(lambda leaf: leaf[-1], candidates)
    return means, {**statistics, base.CANDIDATES: last}, metrics


def make_start(model: Autoencoder) -> Callable:
    """Returns `start(state, batch, key) -> state`: codes placed on the first batch."""

    def start(state: TrainState, batch, key):
        images = image_ops.from_uint8(batch["image"])
        keys = rng.step_keys(key, state.step, ("codebook",))
        state = _changed_by(
            "init_codebook_from_data", model, state, {}, images, rngs=keys
        )
        if state.ema_params:
            state = state.replace(ema_params=jax.tree.map(jnp.copy, state.params))
        return state

    return start


def _code_counts(model: Autoencoder, indices) -> dict:
    """COUNTS of a batch; nothing for a quantizer without codes."""
    quantizer = model.quantizer
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


def _pick(recorded: Mapping, names: tuple[str, ...]) -> dict:
    return {name: recorded[name] for name in names if name in recorded}
