"""Bounds and grids of finite scalar quantisation (FSQ, Mentzer et al. 2309.15505)."""

from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from vq_jax.ops.digits import along_last

Bound = Literal["tan", "atanh", "symmetric", "clip"]


def bounded(
    z: Float[Array, "*n d"], levels: Sequence[int], bound: Bound
) -> Float[Array, "*n d"]:
    """z on the scale of digits: rounding gives a digit in [0, level - 1].

    tan: as printed in the paper's appendix, shift = tan(offset / half). atanh: the
    shift that maps 0 to 0, and so works with levels of 2. symmetric: (L - 1)(tanh z +
    1)/2, the uniform grid on [-1, 1] (2411.19842, sec. 3.2). clip: the same grid with z
    clipped to [-1, 1] in place of tanh, for residuals. Gradients reach z.
    """
    count = along_last(levels, z.ndim, jnp.float32)
    z = z.astype(jnp.float32)
    if bound in ("symmetric", "clip"):
        squashed = jnp.tanh(z) if bound == "symmetric" else jnp.clip(z, -1.0, 1.0)
        # At an odd multiple of a half the paper's floor(x + 0.5) goes up.
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
    position: Float[Array, "*n d"], levels: Sequence[int], bound: Bound
) -> Int[Array, "*n d"]:
    """The nearest digits; halves go up on the symmetric grids, else to even."""
    if bound in ("symmetric", "clip"):
        digits = jnp.floor(position + 0.5)
    else:
        # Rounded about the centre, as the reference does: ties go to even values.
        centre = along_last(levels, position.ndim, jnp.float32) // 2
        digits = jnp.round(position - centre) + centre
    highest = along_last(levels, position.ndim, jnp.int32) - 1
    return jnp.clip(digits.astype(jnp.int32), 0, highest)


def values(
    position: Float[Array, "*n d"], levels: Sequence[int], bound: Bound
) -> Float[Array, "*n d"]:
    """Digits, or positions between them, as code values.

    (digit - L//2) / (L//2), in [-1, 1], for tan and atanh; 2 digit / (L - 1) - 1 for
    the symmetric grids.
    """
    count = along_last(levels, position.ndim, jnp.float32)
    if bound in ("symmetric", "clip"):
        return (2.0 * position - (count - 1)) / (count - 1)
    return (position - count // 2) / (count // 2)
