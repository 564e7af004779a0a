"""A small classifier of images, trained in seconds or minutes."""

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Array, Float, Int, UInt8

from vq_jax import compiler
from vq_jax.evaluation.small_images import shrunk
from vq_jax.typing import Variables

CLIP_NORM = 1.0
JUDGED_AT_ONCE = 500


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
            x = jax.nn.relu(halved(nn.Conv(width, (3, 3))(x)))
        x = jax.nn.relu(nn.Dense(self.hidden)(x.reshape(len(x), -1)))
        return nn.Dense(self.num_classes)(x)


def halved(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """The highest of each 2x2 pixels; an odd side is filled up with the lowest number.

    As `nn.max_pool` with padding "SAME", whose gradient takes XLA longer on CPUs.
    """
    count, height, width, channels = x.shape
    odd = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
    x = jnp.pad(x, odd, constant_values=-jnp.inf)
    blocks = (count, (height + 1) // 2, 2, (width + 1) // 2, 2, channels)
    return jnp.max(x.reshape(blocks), axis=(2, 4))


def train(
    model: Classifier,
    batches: Iterable[Mapping[str, Array | np.ndarray]],
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
    init, update = _programs(model, num_steps, learning_rate)
    batches = iter(batches)
    first = next(batches)
    state = init(jax.random.key(seed), first["image"])
    for batch in itertools.islice(itertools.chain([first], batches), num_steps):
        state = update(*state, batch)
    variables, _ = state
    return variables


def accuracy(
    model: Classifier,
    variables: Variables,
    images: UInt8[np.ndarray, "n h w c"],
    labels: Int[np.ndarray, "n"],
) -> float:
    """Share of the images whose label is the one with the highest logit."""
    right = 0
    for start in range(0, len(images), JUDGED_AT_ONCE):
        part = images[start : start + JUDGED_AT_ONCE]
        missing = ((0, JUDGED_AT_ONCE - len(part)),) + ((0, 0),) * 3
        found = np.asarray(_judge(model)(variables, np.pad(part, missing)))
        right += int(np.sum(found[: len(part)] == labels[start:][: len(part)]))
    return right / len(images)


@functools.cache
def _judge(model: Classifier) -> Callable:
    """(variables, images) -> labels, compiled once a model."""
    return compiler.jit(lambda v, images: jnp.argmax(model.apply(v, images), axis=-1))


@functools.cache
def _programs(model: Classifier, num_steps: int, learning_rate: float):
    """The first state and the step, compiled once however many are trained."""
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, learning_rate, max(1, num_steps // 10), num_steps
    )
    tx = optax.chain(optax.clip_by_global_norm(CLIP_NORM), optax.adamw(schedule))

    def init(key, images):
        variables = model.init(key, images)
        return variables, tx.init(variables)

    update = functools.partial(_update, model, tx)
    return jax.jit(init), compiler.jit(update, donate_argnums=(0, 1))


def _update(model, tx, variables, opt_state, batch):
    def loss(variables):
        logits = model.apply(variables, batch["image"])
        nats = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
        return jnp.mean(nats)

    grads = jax.grad(loss)(variables)
    updates, opt_state = tx.update(grads, opt_state, variables)
    return optax.apply_updates(variables, updates), opt_state
