"""Norms of vectors, and unit vectors, with gradients that stay finite at 0."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def norm(x: Float[Array, "*n d"]) -> Float[Array, "*n 1"]:
    """‖x‖ over the last axis, which becomes 1 long; the gradient at 0 is 0, not NaN."""
    squares = jnp.sum(x**2, axis=-1, keepdims=True)
    nonzero = squares > 0
    return jnp.where(nonzero, jnp.sqrt(jnp.where(nonzero, squares, 1.0)), 0.0)


def unit(x: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
    """x / ‖x‖ over the last axis, float32; where ‖x‖ < 1e-6 it is x / 1e-6."""
    x = x.astype(jnp.float32)
    return x / jnp.maximum(norm(x), 1e-6)
