"""Penalties on code assignments: entropies in nats, and orthogonality of the codes."""

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
    """Mean entropy of soft assignments to codes, and entropy of the mean assignment.

    With p_n = softmax(logits_fn(z_n)): (mean over n of H(p_n), H(mean over n of p_n)),
    both in [0, log num_codes]. The first is small where each choice is confident, the
    second large where codes are used evenly; MaskGIT's entropy loss is their
    difference. Gradients reach `z` and what `logits_fn` closes over. Blocks of rows are
    computed one after another, and again in the backward pass, so memory is
    O(num_codes) and not O(n · num_codes).

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
    # Only the logarithm's argument is bounded from below: a code of probability 0 has
    # an infinite derivative, which times 0 would be NaN.
    mean_entropy = -jnp.sum(probs * jnp.log(jnp.maximum(probs, TINY)))
    return sample / count, mean_entropy


def bit_entropies(
    z: Float[Array, "n d"], scale: float, inverse_temperature: float, group_size: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """`assignment_entropies` for the codes {-scale, +scale}^d, without listing all 2^d.

    p(code) ∝ exp(2 · inverse_temperature · z·code) is a product over bits, with P(+) =
    σ(4 · scale · inverse_temperature · z_j) (BSQ 2406.07548, eq. 8-9), so the mean
    entropy is exact. The entropy of the mean is computed for groups of `group_size`
    bits and summed: an upper bound, exact where group_size ≥ d. Each group has a table
    of 2^group_size codes.
    """
    z = z.astype(jnp.float32)
    logits = 4.0 * scale * inverse_temperature * z
    sample = jnp.mean(jnp.sum(_binary_entropy(logits), axis=1))
    total = jnp.zeros(())
    for first in range(0, z.shape[1], group_size):
        part = z[:, first : first + group_size]
        bits = part.shape[1]
        digits = (jnp.arange(2**bits)[:, None] >> jnp.arange(bits)[None]) & 1
        signs = 2.0 * digits - 1.0
        table = (2.0 * inverse_temperature * scale) * signs.T

        def logits_fn(rows, table=table):
            return _product(rows, table)

        total += assignment_entropies(logits_fn, part, 2**bits)[1]
    return sample, total


def _product(a, b):
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _binary_entropy(logits):
    """Entropy of Bernoulli(σ(logits)); accurate in both tails, finite gradients."""
    size = jnp.abs(logits)  # the entropy is even, and this tail does not cancel
    return jax.nn.softplus(-size) + size * jax.nn.sigmoid(-size)


def orthogonality(codebook: Float[Array, "k d"]) -> Float[Array, ""]:
    """Mean squared cosine between codes, less 1/k: 0 for orthogonal codes.

    (1/k²) Σ_ij (unit e_i · unit e_j)² - 1/k (Shin et al. 2112.00384, eq. 2). The d x d
    matrix EᵀE has the norm of the k x k matrix EEᵀ, so it takes O(k·d²) flops and O(d²)
    memory.
    """
    codes = codebook.astype(jnp.float32)
    squares = jnp.sum(codes**2, axis=1, keepdims=True)
    codes = codes * jax.lax.rsqrt(jnp.maximum(squares, 1e-12))
    gram = _product(codes.T, codes)
    size = codebook.shape[0]
    return jnp.sum(gram**2) / size**2 - 1.0 / size
