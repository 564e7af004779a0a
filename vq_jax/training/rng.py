"""Named streams of random keys; a key is a function of seed, name and step alone."""

from collections.abc import Iterable

import jax
from jaxtyping import Array, Int, Key

from vq_jax.ops.streams import stream


def step_keys(
    key: Key[Array, ""], step: Int[Array, ""] | int, names: Iterable[str]
) -> dict[str, Key[Array, ""]]:
    """One key a name for this step: a run resumed at `step` draws the same numbers."""
    at_step = jax.random.fold_in(key, step)
    return {name: stream(at_step, name) for name in names}
