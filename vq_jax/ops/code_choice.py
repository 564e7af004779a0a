"""Which codes of an image are drawn anew: a share of them, chosen at random."""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

BLOCK = 4  # positions, the side of a block
Choice = Literal["random", "blocks", "last"]


def position_ranks(
    key: Key[Array, ""], grid: tuple[int, int], choice: Literal["random", "blocks"]
) -> Int[Array, "hq wq"]:
    """The numbers 0, 1, … in a random order over a grid, int32.

    The first n are a random choice of n positions, and so are part of those for more.

    Args:
        key: of the draws.
        grid: its height and width.
        choice: "random": all orders alike. "blocks": one square of BLOCK x BLOCK
            positions after the other, in a random order, and in it in a random order.
    """
    height, width = grid
    within_key, between_key = jax.random.split(key)
    within = jax.random.permutation(within_key, height * width)
    block = jnp.zeros_like(within)
    if choice == "blocks":
        rows, columns = jnp.arange(height) // BLOCK, jnp.arange(width) // BLOCK
        across = -(-width // BLOCK)
        block = (rows[:, None] * across + columns[None]).reshape(-1)
        turns = jax.random.permutation(between_key, -(-height // BLOCK) * across)
        block = turns[block]
    order = jnp.lexsort((within, block))
    return jnp.argsort(order).astype(jnp.int32).reshape(grid)
