"""Gradients through the discrete choice of a code."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops import vectors


def straight_through(
    z: Float[Array, "*n d"], z_q: Float[Array, "*n d"]
) -> Float[Array, "*n d"]:
    """`z_q` in value, bit for bit; the gradient passes to `z` unchanged, none to `z_q`.

    VQ-VAE 1711.00937v2, sec. 3.2. The usual form `z + sg(z_q - z)` rounds: most
    elements are no longer codes, and decoding the indices gives another image than the
    forward pass did. Here the added term is an exact 0.
    """
    return lax.stop_gradient(z_q) + (z - lax.stop_gradient(z))


def rotation_trick(
    z: Float[Array, "*n d"], z_q: Float[Array, "*n d"]
) -> Float[Array, "*n d"]:
    """`z_q` in value, bit for bit; the gradient to `z` turns as `z` turns to `z_q`.

    Fifty et al. 2410.06424, sec. 4.2: with ẑ, q̂ the unit vectors, w = unit(ẑ + q̂) and
    λ = ‖z_q‖/‖z‖, dz = λ (g - 2w(w·g) + 2ẑ(q̂·g)). None to `z_q`. Where z and z_q are
    opposite the rotation is not defined and w is 0; lengths below 1e-6 count as 1e-6.
    """
    z_q = lax.stop_gradient(z_q)
    still = lax.stop_gradient(z)
    source, target = vectors.unit(still), vectors.unit(z_q)
    between = vectors.unit(source + target)
    scale = vectors.norm(z_q) / jnp.maximum(vectors.norm(still), 1e-6)

    def along(direction):
        return jnp.sum(z * direction, axis=-1, keepdims=True)

    rotated = scale * (z - 2 * along(between) * between + 2 * along(source) * target)
    return z_q + (rotated - lax.stop_gradient(rotated))


def diveq(
    z: Float[Array, "*n d"], z_q: Float[Array, "*n d"], noise: Float[Array, "*n d"]
) -> Float[Array, "*n d"]:
    """z + ‖z_q - z‖ · sg(unit(z_q - z + noise)); gradients reach `z` and `z_q`.

    DiVeQ 2509.26469: the codes learn from what uses them, with no loss of their own.
    The value is `z_q` up to rounding without noise, and at the same distance from `z`
    with it.
    """
    difference = z_q - z
    direction = lax.stop_gradient(vectors.unit(difference + noise))
    return z + direction * vectors.norm(difference)
