"""Keys of rows: every row of a batch draws from its own."""

import jax
from jaxtyping import Array, Key


def folded(keys: Key[Array, "b"], number) -> Key[Array, "b"]:
    """For each row a key that `number` was folded into."""
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
