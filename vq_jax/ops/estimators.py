"""Gradients through the discrete choice of a code."""

from jax import lax
from jaxtyping import Array, Float


def straight_through(
    z: Float[Array, "*n d"], z_q: Float[Array, "*n d"]
) -> Float[Array, "*n d"]:
    """`z_q` in value, bit for bit; the gradient passes to `z` unchanged, none to `z_q`.

    VQ-VAE 1711.00937v2, sec. 3.2. The usual form `z + sg(z_q - z)` rounds: most
    elements are no longer codes, and decoding the indices gives another image than the
    forward pass did. Here the added term is an exact 0.
    """
    return lax.stop_gradient(z_q) + (z - lax.stop_gradient(z))
