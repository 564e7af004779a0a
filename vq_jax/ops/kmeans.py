"""Lloyd's algorithm (k-means), to initialise a codebook from data."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from vq_jax.ops import codebook, distances


def kmeans(
    z: Float[Array, "n d"], num_codes: int, key: Key[Array, ""], iterations: int = 10
) -> Float[Array, "num_codes d"]:
    """The means of `num_codes` clusters of the vectors `z`, float32.

    Lloyd's iterations from random vectors of `z` (`codebook.sample_vectors`). A cluster
    without vectors keeps its mean.
    """
    z = z.astype(jnp.float32)
    initial = codebook.sample_vectors(z, num_codes, key)

    def body(_, codes):
        indices = distances.nearest_code(z, codes)
        counts, sums = codebook.code_statistics(z, indices, num_codes)
        means = sums / jnp.maximum(counts, 1.0)[:, None]
        return jnp.where(counts[:, None] > 0, means, codes)

    return jax.lax.fori_loop(0, iterations, body, initial)
