"""Which of the codes that were drawn for masked tokens a step of sampling keeps."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from vq_jax.ops.halton import halton_order
from vq_jax.ops.masking import lowest

ORDERS = ("confidence", "halton", "halton_rolled", "random")


def fixed_priorities(
    order: str, keys: Key[Array, "b"], grids: tuple[tuple[int, int], ...]
) -> Float[Array, "b t"]:
    """Priorities of tokens in an order that codes have no part in: high comes first.

    "random" is any order, another one in each row. "halton" visits the cells of a grid
    in the order of a Halton sequence, one grid after the other; "halton_rolled" starts
    within each grid at a random place of its sequence, and goes around.
    """
    if order == "random":
        tokens = sum(height * width for height, width in grids)
        return jax.vmap(lambda key: jax.random.uniform(key, (tokens,)))(keys)

    def row(key):
        places, first = [], 0
        for index, grid in enumerate(grids):
            place = np.argsort(halton_order(*grid))
            if order == "halton_rolled":
                start = jax.random.randint(
                    jax.random.fold_in(key, index), (), 0, len(place)
                )
                place = (place - start) % len(place)
            places.append(jnp.asarray(first + place))
            first += len(place)
        return -jnp.concatenate(places).astype(jnp.float32)

    return jax.vmap(row)(keys)


def halton_sequence(grids: tuple[tuple[int, int], ...]) -> Int[np.ndarray, "t"]:
    """All tokens as "halton" visits them, int32."""
    orders, first = [], 0
    for grid in grids:
        orders.append(first + halton_order(*grid))
        first += len(orders[-1])
    return np.concatenate(orders).astype(np.int32)


def confidence(
    keys: Key[Array, "b"],
    logits: Float[Array, "b t k"],
    codes: Int[Array, "b t"],
    temperature,
) -> Float[Array, "b t"]:
    """log p(code) + temperature · Gumbel noise, float32 (MaskGIT's released code).

    The noise of a row depends on its own key alone.
    """
    log_probs = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    chosen = jnp.take_along_axis(log_probs, codes[..., None], axis=-1)[..., 0]
    noise = jax.vmap(lambda key: jax.random.gumbel(key, codes.shape[1:]))(keys)
    return chosen + temperature * noise


def still_masked(
    masked: Bool[Array, "b t"],
    priorities: Float[Array, "b t"],
    remaining: Int[Array, "b"],
) -> Bool[Array, "b t"]:
    """The `remaining` tokens of lowest priority among those masked; never others.

    Of equal priorities the first stay masked. `remaining` is at most the number masked.
    """
    return lowest(jnp.where(masked, priorities, jnp.inf), remaining)
