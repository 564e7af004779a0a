"""How a codebook is used: counts, usage, perplexity, rate."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy import special
from jaxtyping import Array, Bool, Float, Int, Num

from vq_jax.typing import Leaf


class UsageWindow(NamedTuple):
    """Counts of codes over windows of a fixed number of images, one after another."""

    counts: Leaf  # int32 [num_codebooks, k]: of the window in progress
    num_images: Leaf  # int32 []: images in it
    last: Leaf  # int32 [num_codebooks, k]: of the last whole window


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


def new_window(num_codebooks: int, codebook_size: int) -> UsageWindow:
    """A window without images."""
    shape = (num_codebooks, codebook_size)
    return UsageWindow(
        counts=jnp.zeros(shape, jnp.int32),
        num_images=jnp.zeros((), jnp.int32),
        last=jnp.zeros(shape, jnp.int32),
    )


def extend_window(
    window: UsageWindow, counts: Int[Array, "c k"], num_images: int, size: int
) -> UsageWindow:
    """The window with a batch more; at `size` images or more it is whole.

    A batch goes into one window undivided. So of batch sizes that divide `size`, all
    give the same whole windows.
    """
    counts = window.counts + counts
    num_images = window.num_images + num_images
    whole = num_images >= size
    return UsageWindow(
        counts=jnp.where(whole, 0, counts),
        num_images=jnp.where(whole, 0, num_images),
        last=jnp.where(whole, counts, window.last),
    )


def window_summary(window: UsageWindow) -> dict[str, Float[Array, ""]]:
    """usage and perplexity of the last whole window; at first, of the one in progress.

    They don't depend on the batch size, and compare with those of a split of as many
    images.
    """
    counts = jnp.where(jnp.any(window.last > 0), window.last, window.counts)
    return {"usage": usage(counts), "perplexity": perplexity(counts)}
