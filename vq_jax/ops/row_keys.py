"""Keys of rows: every row of a batch draws from its own."""

import jax
from jaxtyping import Array, Integer, Key


def numbered(key: Key[Array, ""], numbers: Integer[Array, "b"]) -> Key[Array, "b"]:
    """A key for each number: those of rows that are numbered through all batches."""
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)


def folded(keys: Key[Array, "b"], number) -> Key[Array, "b"]:
    """For each row a key that `number` was folded into."""
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
