"""Masks of tokens, by scores and of random sizes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Shaped


def lowest(scores: Float[Array, "b t"], counts: Int[Array, "b"]) -> Bool[Array, "b t"]:
    """The `counts` positions of each row with the lowest scores, ties to the first."""
    order = jnp.argsort(scores, axis=-1, stable=True)
    return jnp.argsort(order, axis=-1) < counts[:, None]


def bound_masks(
    key: Key[Array, ""], num_masks: int, num_tokens: int
) -> Bool[Array, "m t"]:
    """Masks for the bound of `any_order_weights`, drawn together so that they differ.

    One of them, taken at random, is a mask of a size uniform in 1 … N and, of this
    size, uniform; so a mean over them has the expectation of the bound. Sizes are
    stratified, mask i of m has one from the i-th part of the range. The masks are
    windows, one behind the other, of random orders of the tokens: so small masks that
    follow each other hide different tokens.
    """
    size_key, order_key = jax.random.split(key)
    offsets = jax.random.uniform(size_key, (num_masks,))
    strata = (jnp.arange(num_masks) + offsets) / num_masks
    sizes = jnp.clip((strata * num_tokens).astype(jnp.int32) + 1, 1, num_tokens)
    starts = jnp.cumsum(sizes) - sizes
    scores = jax.random.uniform(order_key, (num_masks, num_tokens))
    # A window that comes to the end of its order goes on at the beginning of it.
    ranks = jnp.argsort(scores, axis=-1)[starts // num_tokens]
    return (ranks - starts[:, None]) % num_tokens < sizes[:, None]


def any_order_weights(masks: Bool[Array, "m t"]) -> Float[Array, "m t"]:
    """Weights of the cross-entropies of masked tokens: N / |mask|, 0 if not masked.

    For a mask of a uniform size in 1 … N, and uniform of this size, the expectation of
    the weighted sum is that of -log p of all tokens one by one, in a random order
    (2110.02037, eq. 4), a bound on -log of the mean of p over orders.
    """
    sizes = jnp.sum(masks, axis=-1, keepdims=True)
    return masks * (masks.shape[-1] / sizes).astype(jnp.float32)


def mean_of_masked(
    values: Shaped[Array, "b t"], mask: Bool[Array, "b t"]
) -> Float[Array, ""]:
    """The mean over the masked tokens of a row, float32, and then over rows."""
    mask = mask.astype(jnp.float32)
    return jnp.mean(jnp.sum(values * mask, axis=-1) / jnp.sum(mask, axis=-1))
