"""Scaled dot-product attention with a float32 softmax."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def attend(
    queries: Float[Array, "b heads t d"],
    keys: Float[Array, "b heads s d"],
    values: Float[Array, "b heads s d"],
    mask: Bool[Array, "t s"] | None = None,
) -> Float[Array, "b heads t d"]:
    """softmax(q kᵀ / √d) v over the keys that `mask` allows (1706.03762, eq. 1).

    Logits and softmax are float32; weights are rounded to the dtype of `values` before
    they meet them. A query that may see no key would get the mean of all values, so
    every row of `mask` should be True somewhere.
    """
    # Scaled first: the queries are fewer than the logits.
    scaled = queries.astype(jnp.float32) * queries.shape[-1] ** -0.5
    queries = scaled.astype(queries.dtype)
    logits = jnp.einsum(
        "bhtd,bhsd->bhts", queries, keys, preferred_element_type=jnp.float32
    )
    if mask is not None:
        logits = jnp.where(mask, logits, jnp.finfo(jnp.float32).min)
    weights = jax.nn.softmax(logits, axis=-1).astype(values.dtype)
    return jnp.einsum("bhts,bhsd->bhtd", weights, values)
