"""Gradient estimators: how gradients pass the discrete choice of a code."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops import vectors

Vectors = Float[Array, "*n d"]


def straight_through(z: Vectors, z_q: Vectors) -> Vectors:
    """The straight-through estimator: the value is `z_q`, the gradient goes to `z`.

    The gradient reaches `z` unchanged, and `z_q` gets none (VQ-VAE 1711.00937v2, sec.
    3.2). The value is `z_q` bit for bit, since the added term is exactly 0. The usual
    form `z + sg(z_q - z)` rounds: most of its elements are no longer those of a code,
    and decoding the indices gives another image than the forward pass.
    """
    return lax.stop_gradient(z_q) + (z - lax.stop_gradient(z))


def rotation_trick(z: Vectors, z_q: Vectors) -> Vectors:
    """The rotation trick: the value is `z_q`, the gradient reaches `z` rotated.

    The rotation, with scaling, is the one that maps `z` to `z_q` (Fifty et al.
    2410.06424, sec. 4.2): with ẑ, q̂ the unit vectors, w = unit(ẑ + q̂) and λ =
    ‖z_q‖/‖z‖, dz = λ (g - 2w(w·g) + 2ẑ(q̂·g)). `z_q` gets no gradient; the value is
    `z_q` bit for bit. Where z and z_q are opposite the rotation is not defined, and w
    is 0; lengths below 1e-6 count as 1e-6.
    """
    z_q = lax.stop_gradient(z_q)
    fixed_z = lax.stop_gradient(z)
    source, target = vectors.unit(fixed_z), vectors.unit(z_q)
    between = vectors.unit(source + target)
    scale = vectors.norm(z_q) / jnp.maximum(vectors.norm(fixed_z), 1e-6)

    def along(direction):
        return jnp.sum(z * direction, axis=-1, keepdims=True)

    rotated = scale * (z - 2 * along(between) * between + 2 * along(source) * target)
    return z_q + (rotated - lax.stop_gradient(rotated))


def diveq(z: Vectors, z_q: Vectors, noise: Vectors) -> Vectors:
    """The DiVeQ estimator: z + ‖z_q - z‖ · sg(unit(z_q - z + noise)) (2509.26469).

    Gradients reach `z` and `z_q`, so the reconstruction loss trains the codes and they
    need no loss of their own. Without noise the value is `z_q` up to rounding; with
    noise it is another point at the same distance from `z`.
    """
    difference = z_q - z
    direction = lax.stop_gradient(vectors.unit(difference + noise))
    return z + direction * vectors.norm(difference)
