"""Measures of how evenly the codes are used: counts, usage, perplexity, bit rate."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy import special
from jaxtyping import Array, Bool, Float, Int, Num

from vq_jax.typing import Leaf


class UsageWindow(NamedTuple):
    """Code counts of successive training batches, over windows of so many images."""

    counts: Leaf  # int32 [num_codebooks, k]: counts of the window in progress
    num_images: Leaf  # int32 []: images in it so far
    last: Leaf  # int32 [num_codebooks, k]: counts of the last complete window


def code_counts(
    indices: Int[Array, "b *tokens"],
    codebook_size: int,
    mask: Bool[Array, "b"] | None = None,
    *,
    num_codebooks: int = 1,
) -> Int[Array, "{num_codebooks} {codebook_size}"]:
    """Number of times that each code of each codebook occurs in `indices`.

    Images where the mask is False are not counted, nor are negative indices, which
    stand for dropped residual levels; all others must be below `codebook_size`. The
    last axes of the tokens, flattened, run over the codebooks.
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
    """Fraction of the codes of all codebooks that occur at least once, in [0, 1]."""
    return jnp.mean(counts > 0, dtype=jnp.float32)


def perplexity(counts: Num[Array, "*c k"]) -> Float[Array, ""]:
    """exp(entropy in nats) of the code distribution, in [1, k]; 1 if all counts are 0.

    With several codebooks it is the mean of their perplexities. Counts are non-negative
    and may be fractions, such as moving averages or probabilities.
    """
    counts = counts.astype(jnp.float32)
    total = jnp.sum(counts, axis=-1, keepdims=True)
    probs = counts / jnp.where(total > 0, total, 1.0)
    # 1 log 1 is 0, as 0 log 0 by its limit, and no NaN arises (JAX_DEBUG_NANS).
    probs = jnp.where(probs > 0, probs, 1.0)
    return jnp.mean(jnp.exp(jnp.sum(-special.xlogy(probs, probs), axis=-1)))


def bits_per_pixel(tokens_per_image: int, codebook_size: int, pixels: int) -> float:
    """Bit rate of the codes when each token costs log2(codebook_size) bits.

    That is without entropy coding. `pixels` is height * width, whatever the channels.
    """
    return tokens_per_image * math.log2(codebook_size) / pixels


def new_window(num_codebooks: int, codebook_size: int) -> UsageWindow:
    """A usage window that has counted no image yet."""
    shape = (num_codebooks, codebook_size)
    return UsageWindow(
        counts=jnp.zeros(shape, jnp.int32),
        num_images=jnp.zeros((), jnp.int32),
        last=jnp.zeros(shape, jnp.int32),
    )


def extend_window(
    window: UsageWindow, counts: Int[Array, "c k"], num_images: int, size: int
) -> UsageWindow:
    """Adds the counts of a batch; at `size` images the window is complete.

    The counts of a complete window become `last`, and a new window begins. A batch is
    never split between windows, so all batch sizes that divide `size` give the same
    windows.
    """
    counts = window.counts + counts
    num_images = window.num_images + num_images
    complete = num_images >= size
    return UsageWindow(
        counts=jnp.where(complete, 0, counts),
        num_images=jnp.where(complete, 0, num_images),
        last=jnp.where(complete, counts, window.last),
    )


def window_summary(window: UsageWindow) -> dict[str, Float[Array, ""]]:
    """{"usage", "perplexity"} of the last complete window.

    Before a window is complete they are those of the window in progress. They do not
    depend on the batch size, and may be compared with those of a split that has as many
    images.
    """
    counts = jnp.where(jnp.any(window.last > 0), window.last, window.counts)
    return {"usage": usage(counts), "perplexity": perplexity(counts)}
