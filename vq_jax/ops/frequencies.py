"""Integer frequencies of codes, as entropy coders need them: all above 0.

Frequencies of a table add up to 2^24, so that each over 2^24 is a probability that
float32 holds exactly. With integers an encoder and a decoder that have the same logits
have the same intervals, whatever sums them up.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, UInt32

TOTAL = 2**24
"""Of a table. No codebook may have as many codes; 2^18 lose 0.023 bits a code."""


def from_logits(logits: Float[Array, "*b k"]) -> UInt32[Array, "*b k"]:
    """Frequencies of the law softmax(logits), computed in float32.

    1 + ⌊p (TOTAL - k)⌋, and what is missing to TOTAL, or too much of it by rounding,
    goes to the most likely code, of equal ones the first. So a code of probability p
    takes at most -log2(1 - k / TOTAL) bits more than -log2 p, but for the rounding of
    p; the most likely one may take some 1e-6 bits more than that.
    """
    size = logits.shape[-1]
    assert 0 < size < TOTAL
    probs = jax.nn.softmax(logits.astype(jnp.float32), axis=-1)
    frequencies = 1 + jnp.floor(probs * (TOTAL - size)).astype(jnp.int32)
    missing = TOTAL - jnp.sum(frequencies, axis=-1, keepdims=True)
    largest = jnp.argmax(frequencies, axis=-1)
    frequencies += missing * jax.nn.one_hot(largest, size, dtype=jnp.int32)
    return frequencies.astype(jnp.uint32)


def from_counts(counts: Integer[np.ndarray, "k"]) -> UInt32[np.ndarray, "k"]:
    """Frequencies in proportion to counts, which are 0 or more and not all 0.

    As above, in integers alone: 1 + ⌊count (TOTAL - k) / sum⌋. A sum of counts up to
    2^39 is exact.
    """
    counts = np.asarray(counts, np.int64)
    size = len(counts)
    assert 0 < size < TOTAL
    frequencies = 1 + counts * (TOTAL - size) // counts.sum()
    frequencies[np.argmax(frequencies)] += TOTAL - frequencies.sum()
    return frequencies.astype(np.uint32)
