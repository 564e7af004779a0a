"""Nearest-neighbour search in a codebook."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.errors import InputError


def squared_distances(
    z: Float[Array, "n d"], codebook: Float[Array, "k code_dim"]
) -> Float[Array, "n k"]:
    """‖z_n - e_k‖² in float32, whatever the inputs' dtype; never below 0.

    Raises:
        InputError: the vectors and the codes differ in dimension.
    """
    z, codebook = z.astype(jnp.float32), codebook.astype(jnp.float32)
    z_norms = jnp.sum(z**2, axis=1)[:, None]
    return jnp.maximum(z_norms + _relative_distances(z, codebook), 0.0)


def nearest_code(
    z: Float[Array, "*n d"], codebook: Float[Array, "k code_dim"]
) -> Int[Array, "*n"]:
    """Index (int32) of the nearest code, ties to the lowest (1711.00937v2, eq. 1).

    Distances are float32 even where the inputs are bfloat16: a bfloat16 search changes
    4-8 % of the indices. No gradient passes.

    Raises:
        InputError: the vectors and the codes differ in dimension.
    """
    flat = lax.stop_gradient(z).reshape(-1, z.shape[-1]).astype(jnp.float32)
    codebook = lax.stop_gradient(codebook).astype(jnp.float32)
    indices = jnp.argmin(_relative_distances(flat, codebook), axis=1)
    return indices.astype(jnp.int32).reshape(z.shape[:-1])


def _relative_distances(z, codebook):
    """‖z - e‖² - ‖z‖²: it has the same argmin, and no large common term to round."""
    if z.shape[1] != codebook.shape[1]:
        raise InputError(
            f"z has {z.shape[1]} channels but the codebook has "
            f"code_dim={codebook.shape[1]} (z {z.shape}, codebook {codebook.shape}). "
            "Project the encoder's output to code_dim first."
        )
    cross = jnp.matmul(z, codebook.T, precision=lax.Precision.HIGHEST)
    return jnp.sum(codebook**2, axis=1)[None, :] - 2.0 * cross
