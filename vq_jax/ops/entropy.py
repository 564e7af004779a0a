"""Entropies of soft assignments: confident choices, evenly used codes. All in nats."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

TINY = 1e-30
MAX_LOGITS = 2**22
"""Logits held at a time: 16 MiB, and as much again for their gradients."""


def assignment_entropies(
    logits_fn: Callable, z: Float[Array, "n d"], num_codes: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """(mean over n of H(p_n), H(mean over n of p_n)), p = softmax(logits_fn(z)).

    MaskGIT's entropy loss is their difference; both are in [0, log num_codes].
    Gradients reach z and what `logits_fn` closes over. Works through rows in blocks and
    recomputes them backwards, so memory is O(num_codes), not O(n · num_codes).

    Args:
        logits_fn: float32 rows [m, d] -> logits [m, num_codes].
    """
    z = z.astype(jnp.float32)
    count = len(z)
    num_blocks = math.ceil(count * num_codes / MAX_LOGITS)
    rows = math.ceil(count / num_blocks)
    num_blocks = math.ceil(count / rows)
    padded = jnp.pad(z, ((0, num_blocks * rows - count), (0, 0)))
    weights = (jnp.arange(num_blocks * rows) < count).astype(jnp.float32)

    @jax.checkpoint
    def block_sums(block, weight):
        log_probs = jax.nn.log_softmax(logits_fn(block).astype(jnp.float32))
        probs = jnp.exp(log_probs)
        sample = -jnp.sum(probs * log_probs, axis=1)
        return jnp.sum(weight * sample), _product(weight, probs)

    def body(sums, block):
        return jax.tree.map(jnp.add, sums, block_sums(*block)), None

    # Strided blocks, so that every device keeps its own rows.
    blocks = padded.reshape(rows, num_blocks, -1).swapaxes(0, 1)
    block_weights = weights.reshape(rows, num_blocks).T
    zeros = (jnp.zeros(()), jnp.zeros(num_codes))
    (sample, probs), _ = jax.lax.scan(body, zeros, (blocks, block_weights))
    probs = probs / count
    # Bounded from below in the logarithm alone: a code without any probability would
    # have an infinite derivative, and make NaN of the zeros it meets.
    mean_entropy = -jnp.sum(probs * jnp.log(jnp.maximum(probs, TINY)))
    return sample / count, mean_entropy


def bit_entropies(
    z: Float[Array, "n d"], scale: float, inverse_temperature: float, group_size: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """`assignment_entropies` for codes {-scale, +scale}^d, without their 2^d table.

    p(code) ∝ exp(2 · inverse_temperature · z·code) factorises into bits, with P(+) =
    σ(4 · scale · inverse_temperature · z_j) (BSQ 2406.07548, eq. 8-9): the mean entropy
    is exact. That of the mean is the sum over groups of `group_size` bits, an upper
    bound that is exact where group_size ≥ d; memory is O(n · 2^group_size) in blocks.
    """
    z = z.astype(jnp.float32)
    logits = 4.0 * scale * inverse_temperature * z
    sample = jnp.mean(jnp.sum(_binary_entropy(logits), axis=1))
    total = jnp.zeros(())
    for first in range(0, z.shape[1], group_size):
        part = z[:, first : first + group_size]
        width = part.shape[1]
        signs = (
            2.0 * ((jnp.arange(2**width)[:, None] >> jnp.arange(width)[None]) & 1) - 1.0
        )
        table = (2.0 * inverse_temperature * scale) * signs.T

        def logits_fn(rows, table=table):
            return _product(rows, table)

        total += assignment_entropies(logits_fn, part, 2**width)[1]
    return sample, total


def _product(a, b):
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _binary_entropy(logits):
    """Entropy of Bernoulli(σ(logits)); exact in both tails, finite gradients."""
    size = jnp.abs(logits)  # it is even, and the lower tail does not cancel
    return jax.nn.softplus(-size) + size * jax.nn.sigmoid(-size)


def orthogonality(codebook: Float[Array, "k d"]) -> Float[Array, ""]:
    """mean over pairs of (unit e_i · unit e_j)², less 1/k: 0 for orthogonal codes.

    Shin et al. 2112.00384, eq. 2. O(k²) flops, through the d x d Gram matrix in O(k·d²)
    and O(d²) memory: ‖EEᵀ‖ = ‖EᵀE‖.
    """
    codes = codebook.astype(jnp.float32)
    squares = jnp.sum(codes**2, axis=1, keepdims=True)
    codes = codes * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))
    gram = _product(codes.T, codes)
    size = codebook.shape[0]
    return jnp.sum(gram**2) / size**2 - 1.0 / size
