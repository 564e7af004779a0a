"""Bounds and grids of finite scalar quantisation (FSQ, Mentzer et al. 2309.15505).

`levels` has one entry for each channel: the number L of values that it is rounded to.
A value's number, in [0, L - 1], is its digit.
"""

from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from vq_jax.ops.digits import along_last

Vectors = Float[Array, "*n d"]
Bound = Literal["tan", "atanh", "symmetric", "clip"]


def bounded(z: Vectors, levels: Sequence[int], bound: Bound) -> Vectors:
    """Maps each channel to the range of its digits, to be rounded to the nearest one.

    "tan" is the bound printed in the paper's appendix, shift = tan(offset / half).
    "atanh" has the shift that maps 0 to 0, which also works with L = 2. "symmetric" is
    (L - 1)(tanh z + 1)/2, for a uniform grid on [-1, 1] (2411.19842, sec. 3.2). "clip"
    has the same grid and clips z to [-1, 1] instead of tanh, for residual levels.
    Gradients reach z.
    """
    count = along_last(levels, z.ndim, jnp.float32)
    z = z.astype(jnp.float32)
    if bound in ("symmetric", "clip"):
        squashed = jnp.tanh(z) if bound == "symmetric" else jnp.clip(z, -1.0, 1.0)
        # `to_digits` rounds halves up on these grids, as the paper's floor(x + 0.5).
        return (count - 1) * (squashed + 1) / 2
    offset = jnp.where(count % 2 == 0, 0.5, 0.0)
    if bound == "tan":
        half = (count - 1) * (1 - 1e-3) / 2
        shift = jnp.tan(offset / half)
    else:
        half = (count - 1) * (1 + 1e-3) / 2
        shift = jnp.arctanh(offset / half)
    return jnp.tanh(z + shift) * half - offset + count // 2


def to_digits(
    position: Vectors, levels: Sequence[int], bound: Bound
) -> Int[Array, "*n d"]:
    """The digits nearest to the results of `bounded`, int32.

    Halves are rounded up with the bounds "symmetric" and "clip", else to even values.
    """
    if bound in ("symmetric", "clip"):
        digits = jnp.floor(position + 0.5)
    else:
        # Rounded about the centre, as the reference does, so ties go to even values.
        centre = along_last(levels, position.ndim, jnp.float32) // 2
        digits = jnp.round(position - centre) + centre
    highest = along_last(levels, position.ndim, jnp.int32) - 1
    return jnp.clip(digits.astype(jnp.int32), 0, highest)


def values(position: Vectors, levels: Sequence[int], bound: Bound) -> Vectors:
    """The numbers in [-1, 1] that stand for digits, or for positions between digits.

    (digit - L//2) / (L//2) for the bounds "tan" and "atanh", and 2 digit / (L - 1) - 1
    for "symmetric" and "clip".
    """
    count = along_last(levels, position.ndim, jnp.float32)
    if bound in ("symmetric", "clip"):
        return (2.0 * position - (count - 1)) / (count - 1)
    return (position - count // 2) / (count // 2)
