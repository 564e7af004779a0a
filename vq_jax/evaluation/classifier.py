"""A small classifier of images, trained on real ones within an evaluation."""

import functools
import itertools
from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, Float, UInt8

from vq_jax import compiler
from vq_jax.evaluation.small_images import shrunk

CLIP_NORM = 1.0


class Classifier(nn.Module):
    """Logits of classes: three convolutions, each halving the grid, and two layers.

    Attributes:
        num_classes: number of classes.
        channels: of each convolution.
        hidden: of the first layer behind them.
    """

    num_classes: int
    channels: tuple[int, ...] = (32, 64, 128)
    hidden: int = 256

    @nn.compact
    def __call__(self, images: UInt8[Array, "b h w c"]) -> Float[Array, "b k"]:
        """Logits, float32. Images of more than 32 pixels a side are scaled to 32."""
        x = shrunk(images)
        for width in self.channels:
            conv = nn.Conv(width, (3, 3))
            x = jax.nn.relu(nn.max_pool(conv(x), (2, 2), (2, 2), "SAME"))
        x = jax.nn.relu(nn.Dense(self.hidden)(x.reshape(len(x), -1)))
        return nn.Dense(self.num_classes)(x)


def train(
    model: Classifier,
    batches: Iterable[Mapping[str, Array]],
    *,
    num_steps: int,
    learning_rate: float,
    seed: int,
) -> dict:
    """Variables after so many steps of AdamW on the cross-entropy; deterministic.

    The rate falls to 0 as a cosine, after a rise over a tenth of the steps.

    Args:
        batches: {"image": uint8 [b, h, w, c], "label": int32 [b]}, one for each step.
    """
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, learning_rate, max(1, num_steps // 10), num_steps
    )
    tx = optax.chain(optax.clip_by_global_norm(CLIP_NORM), optax.adamw(schedule))
    batches = iter(batches)
    first = next(batches)
    variables = jax.jit(model.init)(jax.random.key(seed), first["image"])
    opt_state = jax.jit(tx.init)(variables)
    update = compiler.jit(functools.partial(_update, model, tx), donate_argnums=(0, 1))
    for batch in itertools.islice(itertools.chain([first], batches), num_steps):
        variables, opt_state = update(variables, opt_state, batch)
    return variables


def _update(model, tx, variables, opt_state, batch):
    def loss(variables):
        logits = model.apply(variables, batch["image"])
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
        return jnp.mean(nats)

    grads = jax.grad(loss)(variables)
    updates, opt_state = tx.update(grads, opt_state, variables)
    return optax.apply_updates(variables, updates), opt_state
