"""A batch worked through in parts, for the update of the whole in less memory."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from vq_jax.models.quantizers import base

CODE_COUNTS = "code_counts"
"""Where a pass records how often it chose each code."""

SUMMED = (base.STATISTICS, CODE_COUNTS)


def accumulate(gradients: Callable, batch, keys: Mapping, parts: int):
    """`gradients(batch, keys) -> (means, recorded, metrics)` over parts of a batch.

    `batch` is an array, or a tree of arrays, whose first axis is that of the images.

    Means and metrics are averaged over the parts. Of what was recorded for the update
    of a codebook, statistics and code counts are summed, and candidates for restarts
    are those of the last part. Each part has keys of its own.
    """
    if parts == 1:
        return gradients(batch, keys)

    def cut(array):
        # Strided parts, so that every device keeps its own rows.
        return array.reshape(-1, parts, *array.shape[1:]).swapaxes(0, 1)

    batch = jax.tree.map(cut, batch)

    def body(carry, xs):
        part, index = xs
        part_keys = {k: jax.random.fold_in(v, index) for k, v in keys.items()}
        means, recorded, metrics = gradients(part, part_keys)
        new = (means, select(recorded, SUMMED), metrics)
        return jax.tree.map(jnp.add, carry, new), recorded.get(base.CANDIDATES, {})

    first = jax.tree.map(lambda array: array[0], batch)
    shapes = jax.eval_shape(gradients, first, keys)
    zeros = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        (shapes[0], select(shapes[1], SUMMED), shapes[2]),
    )
    (means, statistics, metrics), candidates = jax.lax.scan(
        body, zeros, (batch, jnp.arange(parts))
    )
    means, metrics = jax.tree.map(lambda leaf: leaf / parts, (means, metrics))
    last = jax.tree.map(lambda leaf: leaf[-1], candidates)
    return means, {**statistics, base.CANDIDATES: last}, metrics


def select(recorded: Mapping, names: tuple[str, ...]) -> dict:
    """The named entries that are there."""
    return {name: recorded[name] for name in names if name in recorded}
