"""Search for the nearest code, in memory that does not grow with the codebook."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.errors import InputError


def squared_distances(
    z: Float[Array, "n d"], codebook: Float[Array, "k code_dim"]
) -> Float[Array, "n k"]:
    """Squared distances ‖z_n - e_k‖² of all vectors and codes; float32, never below 0.

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
    """int32 index of the code nearest to each vector (VQ-VAE 1711.00937v2, eq. 1).

    Among equal distances it is the lowest index. Distances are float32 even where the
    inputs are bfloat16: a search in bfloat16 changes 4-8 % of the indices. No gradient
    passes.

    Args:
        block_size: codes compared at a time, so that memory is O(n · block_size) and
            never O(n · k). None takes what suits the device.

    Raises:
        InputError: the vectors and the codes differ in dimension.
    """
    flat = lax.stop_gradient(z).reshape(-1, z.shape[-1]).astype(jnp.float32)
    codebook = lax.stop_gradient(codebook).astype(jnp.float32)
    check_dimensions(flat, codebook)

    def search(device: _Device):
        size = block_size or max(
            device.min_block, device.max_scores // max(1, len(flat))
        )
        return functools.partial(
            _running_argmin,
            block_size=min(size, len(codebook)),
            least=device.least,
        )

    indices = lax.platform_dependent(
        flat,
        codebook,
        cpu=search(ON_CPU),
        tpu=search(ON_TPU),
        default=search(ELSEWHERE),
    )
    return indices.reshape(z.shape[:-1])


def _running_argmin(z, codebook, *, block_size: int, least: Callable):
    """Index of the nearest code, found by comparing one block of codes at a time."""
    size, dim = codebook.shape

    def body(block, best):
        # The last block begins early enough to be full. It meets some codes for the
        # second time; they are no nearer than before, so they change nothing.
        first = jnp.minimum(block * block_size, size - block_size)
        codes = lax.dynamic_slice(codebook, (first, 0), (block_size, dim))
        distance, index = least(_relative_distances(z, codes))
        nearer = distance < best[0]
        return (
            jnp.where(nearer, distance, best[0]),
            jnp.where(nearer, index + first, best[1]),
        )

    best = (jnp.full(len(z), jnp.inf), jnp.zeros(len(z), jnp.int32))
    return lax.fori_loop(0, -(-size // block_size), body, best)[1]


def _least_in_one_pass(scores):
    """The least score of each row, and the lowest of its columns."""
    return jnp.min(scores, axis=1), jnp.argmin(scores, axis=1).astype(jnp.int32)


def _least_in_two_passes(scores):
    """As `_least_in_one_pass`, by minima alone; of a row with NaN, a column too far."""
    least = jnp.min(scores, axis=1)
    columns = jnp.arange(scores.shape[1], dtype=jnp.int32)[None]
    equal = jnp.where(scores == least[:, None], columns, scores.shape[1])
    return least, jnp.min(equal, axis=1)


class _Device(NamedTuple):
    """How a kind of device searches.

    Attributes:
        min_block: codes in a block at least.
        max_scores: distances held at a time, if blocks may then be that large.
        least: distances [n, m] -> the least of each row, and its lowest column.
    """

    min_block: int
    max_scores: int
    least: Callable


# XLA's CPU backend vectorises minima, and computes an argmin one element after another;
# small blocks stay in the cache (benchmarks/code_search.py).
ON_CPU = _Device(128, 2**21, _least_in_two_passes)
# XLA for TPUs joins product and argmin in one kernel, which writes no distances. Of its
# estimates for 2,048, 16,384 and 65,536 vectors a chip and 16,384 codes of 256
# dimensions, this size is 1.4, 1.1 and 1.7 times the product alone; one block of all
# codes is 1.2 times for the first and 1.8 for the last, and 4,096 are 8.2 times there.
ON_TPU = _Device(1_024, 0, _least_in_one_pass)
ELSEWHERE = _Device(128, 2**24, _least_in_one_pass)


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
    """‖z - e‖² - ‖z‖²: the same argmin, without a large common term to round."""
    cross = jnp.matmul(z, codebook.T, precision=lax.Precision.HIGHEST)
    return jnp.sum(codebook**2, axis=1)[None, :] - 2.0 * cross
