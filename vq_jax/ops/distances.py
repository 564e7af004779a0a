"""Nearest-neighbour search in a codebook, in memory that its size does not set."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.errors import InputError

MAX_SCORES = 2**24
"""Distances held at a time by default: 64 MiB; at least 128 codes are compared."""


def squared_distances(
    z: Float[Array, "n d"], codebook: Float[Array, "k code_dim"]
) -> Float[Array, "n k"]:
    """‖z_n - e_k‖² in float32, whatever the inputs' dtype; never below 0.

    Raises:
        InputError: the vectors and the codes differ in dimension.
    """
    check_dimensions(z, codebook)
    z, codebook = z.astype(jnp.float32), codebook.astype(jnp.float32)
    z_norms = jnp.sum(z**2, axis=1)[:, None]
    return jnp.maximum(z_norms + _relative_distances(z, codebook), 0.0)


def nearest_code(
    z: Float[Array, "*n d"],
    codebook: Float[Array, "k code_dim"],
    *,
    block_size: int | None = None,
) -> Int[Array, "*n"]:
    """Index (int32) of the nearest code, ties to the lowest (1711.00937v2, eq. 1).

    Distances are float32 even where the inputs are bfloat16: a bfloat16 search changes
    4-8 % of the indices. No gradient passes.

    Args:
        block_size: codes compared at a time, so that memory is O(n · block_size) and
            never O(n · k). None takes as many as MAX_SCORES allows.

    Raises:
        InputError: the vectors and the codes differ in dimension.
    """
    flat = lax.stop_gradient(z).reshape(-1, z.shape[-1]).astype(jnp.float32)
    codebook = lax.stop_gradient(codebook).astype(jnp.float32)
    check_dimensions(flat, codebook)
    size = codebook.shape[0]
    block_size = min(size, block_size or max(128, MAX_SCORES // max(1, len(flat))))
    if block_size == size:
        indices = jnp.argmin(_relative_distances(flat, codebook), axis=1)
    else:
        indices = _running_argmin(flat, codebook, block_size)
    return indices.astype(jnp.int32).reshape(z.shape[:-1])


def _running_argmin(z, codebook, block_size: int):
    """The argmin over blocks of codes, one after another."""
    size, dim = codebook.shape

    def body(block, best):
        # The last block begins early enough to be whole: codes that it sees for the
        # second time are no nearer than before, so they change nothing.
        first = jnp.minimum(block * block_size, size - block_size)
        codes = lax.dynamic_slice(codebook, (first, 0), (block_size, dim))
        distances = _relative_distances(z, codes)
        index = jnp.argmin(distances, axis=1).astype(jnp.int32)
        distance = jnp.min(distances, axis=1)
        nearer = distance < best[0]
        return (
            jnp.where(nearer, distance, best[0]),
            jnp.where(nearer, index + first, best[1]),
        )

    start = (jnp.full(len(z), jnp.inf), jnp.zeros(len(z), jnp.int32))
    return lax.fori_loop(0, -(-size // block_size), body, start)[1]


def check_dimensions(
    z: Float[Array, "*n d"], codebook: Float[Array, "k code_dim"]
) -> None:
    """Raises InputError where vectors and codes differ in dimension."""
    if z.shape[-1] != codebook.shape[1]:
        raise InputError(
            f"z has {z.shape[-1]} channels but the codebook has "
            f"code_dim={codebook.shape[1]} (z {z.shape}, codebook {codebook.shape}). "
            "Project the encoder's output to code_dim first."
        )


def _relative_distances(z, codebook):
    """‖z - e‖² - ‖z‖²: it has the same argmin, and no large common term to round."""
    cross = jnp.matmul(z, codebook.T, precision=lax.Precision.HIGHEST)
    return jnp.sum(codebook**2, axis=1)[None, :] - 2.0 * cross
