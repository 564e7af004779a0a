"""Updates of a codebook that are not gradients: moving averages, restarts, anchors."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from vq_jax.typing import Leaf


class CodebookState(NamedTuple):
    """A codebook learnt by exponential moving averages (EMA), codes = sums / counts.

    Whatever changes one of the three changes the others with it.
    """

    codes: Leaf  # float32 [k, d]
    counts: Leaf  # float32 [k]: EMA of the number of vectors assigned to each code
    sums: Leaf  # float32 [k, d]: EMA of the sum of those vectors


class CodeStatistics(NamedTuple):
    """Number and sum of the vectors of a batch that are assigned to each code.

    The statistics of a batch are the sum of those of its parts.
    """

    counts: Leaf  # float32 [k]
    sums: Leaf  # float32 [k, d]


def new_codebook(codes: Float[Array, "k d"]) -> CodebookState:
    """A codebook with these codes, and averages that agree: counts 1, sums = codes.

    Other initial averages spoil the codes that the first batch does not use: counts 0
    with sums = codes moves them far away, counts 0 with sums 0 to the origin.
    """
    codes = codes.astype(jnp.float32)
    return CodebookState(codes, jnp.ones(codes.shape[0]), codes)


def code_statistics(
    z: Float[Array, "n d"], indices: Int[Array, "n"], codebook_size: int
) -> CodeStatistics:
    """Number and sum of the vectors `z` assigned to each code, without an n x k array.

    Everything is float32, and no gradient reaches `z`.
    """
    z = jax.lax.stop_gradient(z).astype(jnp.float32)
    ones = jnp.ones(z.shape[0])
    return CodeStatistics(
        jax.ops.segment_sum(ones, indices, codebook_size),
        jax.ops.segment_sum(z, indices, codebook_size),
    )


def ema_update(
    state: CodebookState,
    statistics: CodeStatistics,
    decay: float,
    min_count: float = 1e-5,
) -> CodebookState:
    """The codebook after one moving-average update (VQ-VAE 1711.00937v2, eq. 6-8).

    N ← γN + (1-γ)n, m ← γm + (1-γ)Σz, e = m/N. Deviation: there is no Laplace smoothing
    of N, which is common and pulls rarely used codes to the origin; a code whose count
    has decayed below `min_count` keeps its value instead.
    """
    counts = decay * state.counts + (1.0 - decay) * statistics.counts
    sums = decay * state.sums + (1.0 - decay) * statistics.sums
    alive = (counts > min_count)[:, None]
    ratio = sums / jnp.maximum(counts, min_count)[:, None]
    return CodebookState(jnp.where(alive, ratio, state.codes), counts, sums)


def restart_dead_codes(
    state: CodebookState, candidates: Float[Array, "k d"], threshold: float
) -> CodebookState:
    """Moves dead codes to `candidates`, vectors of the current batch.

    A code is dead when its count is below `threshold` times the mean count; the
    threshold is a fraction, so it does not depend on the batch size. Codes, counts and
    sums are reset together. The new count is the mean count, so an unused code is
    restarted again after log(threshold)/log(decay) steps.
    """
    mean_count = jnp.mean(state.counts)
    dead = state.counts < threshold * mean_count
    codes = jnp.where(dead[:, None], candidates, state.codes)
    counts = jnp.where(dead, mean_count, state.counts)
    sums = jnp.where(dead[:, None], candidates * mean_count, state.sums)
    return CodebookState(codes, counts, sums)


def split_most_used(
    state: CodebookState,
    threshold: float,
    key: Key[Array, ""],
    *,
    perturbation: float = 0.001,
    max_splits: int = 100,
) -> CodebookState:
    """Moves dead codes next to the most used ones, as UViM does (2205.10337).

    While any code is dead, as in `restart_dead_codes`, the least used code becomes the
    most used one times U(1 - perturbation, 1 + perturbation), and both get half of its
    count. Splits follow one another, so there are at most `max_splits` a call. No
    vectors of the batch are needed: a small batch may have none near most codes.
    """

    def any_dead(carry):
        done, state = carry
        dead = jnp.min(state.counts) < threshold * jnp.mean(state.counts)
        return (done < max_splits) & dead

    def split(carry):
        done, (codes, counts, sums) = carry
        most, least = jnp.argmax(counts), jnp.argmin(counts)
        noise = jax.random.uniform(
            jax.random.fold_in(key, done), codes.shape[1:], minval=-1.0
        )
        moved = codes[most] * (1.0 + perturbation * noise)
        half = 0.5 * counts[most]
        codes = codes.at[least].set(moved)
        counts = counts.at[least].set(half).at[most].set(half)
        sums = sums.at[least].set(moved * half).at[most].multiply(0.5)
        return done + 1, CodebookState(codes, counts, sums)

    return jax.lax.while_loop(any_dead, split, (jnp.zeros((), jnp.int32), state))[1]


def move_to_anchors(
    codes: Float[Array, "k d"],
    probs: Float[Array, "k"],
    anchors: Float[Array, "k d"],
    decay: float,
) -> Float[Array, "k d"]:
    """Moves each code towards its anchor, the more the less it is used (CVQ).

    e ← (1 - α) e + α anchor with α = exp(-10 K p / (1 - decay) - 0.001) (2307.15139,
    eq. 4-6). `probs`, p, is the moving average of the share of vectors that a code
    gets: a code in use keeps its value, and one that is never used becomes its anchor.
    """
    share = probs * (codes.shape[0] * 10.0)
    alpha = jnp.exp(-share / (1.0 - decay) - 1e-3)[:, None]
    return (1.0 - alpha) * codes + alpha * anchors


def sample_vectors(
    z: Float[Array, "n d"], count: int, key: Key[Array, ""]
) -> Float[Array, "count d"]:
    """`count` random rows of `z`, drawn without replacement if there are enough.

    If there are not, each row is used count // n times before any is used once more,
    and every use after the first adds noise of 1 % of the standard deviation of `z`.
    Otherwise two codes would be equal, and the second never used, since the search
    takes the lowest index among equal distances.
    """
    pick_key, noise_key = jax.random.split(key)
    num_rows = z.shape[0]
    order = jax.random.permutation(pick_key, num_rows)
    rows = z[order[jnp.arange(count) % num_rows]].astype(jnp.float32)
    if count <= num_rows:
        return rows
    noise = jax.random.normal(noise_key, rows.shape) * (0.01 * jnp.std(z))
    repeated = (jnp.arange(count) >= num_rows)[:, None]
    return rows + jnp.where(repeated, noise, 0.0)
