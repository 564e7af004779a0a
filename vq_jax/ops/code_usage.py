"""How a codebook is used: counts, usage, perplexity, rate."""

import math

import jax.numpy as jnp
from jax.scipy import special
from jaxtyping import Array, Bool, Float, Int, Num


def code_counts(
    indices: Int[Array, "b *tokens"],
    codebook_size: int,
    mask: Bool[Array, "b"] | None = None,
    *,
    num_codebooks: int = 1,
) -> Int[Array, "{num_codebooks} {codebook_size}"]:
    """How often each code of each codebook occurs, int32 [num_codebooks, k].

    Examples where the mask is False don't count, nor do negative indices, which stand
    for dropped levels; the others must be below codebook_size. The last axes of the
    tokens, flattened, run over the codebooks.
    """
    if mask is None:
        mask = jnp.ones(indices.shape[0], bool)
    valid = jnp.expand_dims(mask, tuple(range(1, indices.ndim))) & (indices >= 0)
    indices = indices.reshape(-1, num_codebooks)
    offsets = codebook_size * jnp.arange(num_codebooks, dtype=jnp.int32)
    counts = jnp.zeros(num_codebooks * codebook_size, jnp.int32)
    counts = counts.at[jnp.maximum(indices, 0) + offsets[None]].add(
        valid.reshape(-1, num_codebooks).astype(jnp.int32)
    )
    return counts.reshape(num_codebooks, codebook_size)


def usage(counts: Num[Array, "*c k"]) -> Float[Array, ""]:
    """The fraction of codes that occur at least once, in [0, 1], over all codebooks."""
    return jnp.mean(counts > 0, dtype=jnp.float32)


def perplexity(counts: Num[Array, "*c k"]) -> Float[Array, ""]:
    """exp(entropy in nats) of the code distribution, in [1, k]; 1 without any counts.

    Of several codebooks, the mean. Counts are non-negative and need not be whole: EMA
    counts and probabilities do.
    """
    counts = counts.astype(jnp.float32)
    total = jnp.sum(counts, axis=-1, keepdims=True)
    probs = counts / jnp.where(total > 0, total, 1.0)
    return jnp.mean(jnp.exp(jnp.sum(special.entr(probs), axis=-1)))


def bits_per_pixel(tokens_per_image: int, codebook_size: int, pixels: int) -> float:
    """The rate when every token costs log2(codebook_size) bits: no entropy coding.

    `pixels` counts positions, height * width, not channels.
    """
    return tokens_per_image * math.log2(codebook_size) / pixels


def summary(
    indices: Int[Array, "b *tokens"], codebook_size: int
) -> dict[str, Float[Array, ""]]:
    """usage and perplexity of one batch, for logs: both grow with the batch."""
    counts = code_counts(indices, codebook_size)
    return {"usage": usage(counts), "perplexity": perplexity(counts)}
