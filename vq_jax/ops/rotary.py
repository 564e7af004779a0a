"""Rotary positions: queries and keys turned by angles that grow with the position."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from vq_jax.errors import InputError
from vq_jax.typing import Leaf


class Rotation(NamedTuple):
    """Of each position: cosine and sine of the angle of each pair of channels."""

    cos: Leaf  # float32 [t, pairs]
    sin: Leaf  # float32 [t, pairs]


def grid_rotation(
    positions: Num[np.ndarray, "t 2"], head_dim: int, base: float = 1e4
) -> Rotation:
    """Rotation by rows and columns (RoPE, 2104.09864, on two axes as in LlamaGen).

    The first half of the head_dim / 2 pairs turns with the row, the second with the
    column. Of the n = head_dim / 4 pairs of an axis, pair i turns by
    position · base^(-i / n) radians.

    Args:
        positions: row and column of each position.

    Raises:
        InputError: 4 does not divide `head_dim`.
    """
    if head_dim % 4:
        raise InputError(
            f"head_dim={head_dim} does not divide by 4, so that pairs of channels turn "
            "with rows and columns; make hidden_dim a multiple of 4 * num_heads."
        )
    pairs = head_dim // 4
    frequencies = base ** (-np.arange(pairs) / pairs)
    angles = positions.astype(np.float64)[:, :, None] * frequencies
    angles = angles.reshape(len(positions), 2 * pairs)
    return Rotation(np.float32(np.cos(angles)), np.float32(np.sin(angles)))


def rotate(x: Float[Array, "*b t d"], rotation: Rotation) -> Float[Array, "*b t d"]:
    """Channels 2i and 2i + 1 turned by angle i of each position; in float32."""
    pairs = x.astype(jnp.float32).reshape(*x.shape[:-1], -1, 2)
    first, second = pairs[..., 0], pairs[..., 1]
    axes = tuple(range(first.ndim - 2))
    cos, sin = (jnp.expand_dims(a, axes) for a in (rotation.cos, rotation.sin))
    turned = jnp.stack([first * cos - second * sin, second * cos + first * sin], -1)
    return turned.reshape(x.shape).astype(x.dtype)
