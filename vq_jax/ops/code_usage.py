"""How a codebook is used: counts, usage, perplexity, rate."""

import math

import jax.numpy as jnp
from jax.scipy import special
from jaxtyping import Array, Bool, Float, Int, Num


def code_counts(
    indices: Int[Array, "b *grid"],
    codebook_size: int,
    mask: Bool[Array, "b"] | None = None,
) -> Int[Array, "{codebook_size}"]:
    """How often each code occurs, int32 [k]; examples where the mask is False don't.

    Indices must be in [0, codebook_size).
    """
    if mask is None:
        mask = jnp.ones(indices.shape[0], bool)
    per_token = jnp.expand_dims(mask, tuple(range(1, indices.ndim))).astype(jnp.int32)
    counts = jnp.zeros(codebook_size, jnp.int32)
    return counts.at[indices].add(jnp.broadcast_to(per_token, indices.shape))


def usage(counts: Num[Array, "k"]) -> Float[Array, ""]:
    """The fraction of codes that occur at least once, in [0, 1]."""
    return jnp.mean(counts > 0, dtype=jnp.float32)


def perplexity(counts: Num[Array, "k"]) -> Float[Array, ""]:
    """exp(entropy in nats) of the code distribution, in [1, k]; 1 without any counts.

    Counts are non-negative and need not be whole: EMA counts and probabilities do.
    """
    counts = counts.astype(jnp.float32)
    total = jnp.sum(counts)
    probs = counts / jnp.where(total > 0, total, 1.0)
    return jnp.exp(jnp.sum(special.entr(probs)))


def bits_per_pixel(tokens_per_image: int, codebook_size: int, pixels: int) -> float:
    """The rate when every token costs log2(codebook_size) bits: no entropy coding.

    `pixels` counts positions, height * width, not channels.
    """
    return tokens_per_image * math.log2(codebook_size) / pixels


def summary(
    indices: Int[Array, "b *grid"], codebook_size: int
) -> dict[str, Float[Array, ""]]:
    """usage and perplexity of one batch, for logs: both grow with the batch."""
    counts = code_counts(indices, codebook_size)
    return {"usage": usage(counts), "perplexity": perplexity(counts)}
