"""Lloyd's algorithm, to start a codebook."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from vq_jax.ops import codebook, distances


def kmeans(
    z: Float[Array, "n d"], num_codes: int, key: Key[Array, ""], iterations: int = 10
) -> Float[Array, "num_codes d"]:
    """Means of `num_codes` clusters, float32; a cluster that gets no vector stays.

    Lloyd's iterations from `codebook.sample_vectors`. With fewer vectors than codes it
    is those, each repeat apart by a little noise.
    """
    z = z.astype(jnp.float32)
    start = codebook.sample_vectors(z, num_codes, key)

    def body(_, codes):
        indices = distances.nearest_code(z, codes)
        counts, sums = codebook.code_statistics(z, indices, num_codes)
        means = sums / jnp.maximum(counts, 1.0)[:, None]
        return jnp.where(counts[:, None] > 0, means, codes)

    return jax.lax.fori_loop(0, iterations, body, start)
