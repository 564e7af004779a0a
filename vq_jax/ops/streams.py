"""Named streams of random keys."""

import zlib

import jax
from jaxtyping import Array, Key


def stream(key: Key[Array, ""], name: str) -> Key[Array, ""]:
    """A sub-key for `name`. Stable across processes, unlike Python's hash()."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
