"""Gram matrices of features: which channels occur together, wherever that is."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

TINY = 1e-12  # below any sum of squares that is not 0; two empty arrays are alike


def gram_matrix(features: Float[Array, "b h w c"]) -> Float[Array, "b c c"]:
    """Mean over positions of the product of each pair of channels, float32.

    Gatys et al. (2016, eq. 3) sum over positions; with the mean, images of any two
    sizes compare.
    """
    count, height, width, channels = features.shape
    rows = features.astype(jnp.float32).reshape(count, height * width, channels)
    highest = jax.lax.Precision.HIGHEST
    products = jnp.einsum("bpc,bpd->bcd", rows, rows, precision=highest)
    return products / (height * width)


def relative_distance(
    a: Float[Array, "b *n"], b: Float[Array, "b *n"]
) -> Float[Array, "b"]:
    """‖a - b‖² / (‖a‖² + ‖b‖²) of each pair of arrays, float32.

    In [0, 1] where ⟨a, b⟩ ≥ 0, as of two Gram matrices, or of two arrays of features
    behind a ReLU: 0 where they are equal, 1 where nothing is in common. The scale of
    both cancels, so that layers of any scale count alike. 0 of two arrays of zeros.
    """
    a, b = (x.astype(jnp.float32).reshape(len(x), -1) for x in (a, b))
    difference = jnp.sum(jnp.square(a - b), axis=1)
    return difference / (jnp.sum(a * a, axis=1) + jnp.sum(b * b, axis=1) + TINY)
