"""Codes as digits: mixed-radix indices of FSQ, bits of LFQ and BSQ."""

import math
from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Num

Order = Literal["little", "big"]
"""little: the first digit is the least significant; big: the most significant."""


def to_index(
    digits: Int[Array, "*n d"], levels: Sequence[int], order: Order
) -> Int[Array, "*n"]:
    """The number with these digits, int32 in [0, prod(levels)); digit i < levels[i]."""
    weights = along_last(_weights(levels, order), digits.ndim, jnp.int32)
    return jnp.sum(digits.astype(jnp.int32) * weights, axis=-1)


def from_index(
    index: Int[Array, "*n"], levels: Sequence[int], order: Order
) -> Int[Array, "*n d"]:
    """The digits of a number in [0, prod(levels)), int32; inverts `to_index`."""
    ndim = index.ndim + 1
    weights = along_last(_weights(levels, order), ndim, jnp.int32)
    return (index[..., None] // weights) % along_last(levels, ndim, jnp.int32)


def along_last(
    values: Sequence[int] | np.ndarray, ndim: int, dtype
) -> Num[Array, "..."]:
    """`values` as the last of `ndim` axes, to broadcast against digits."""
    return jnp.asarray(values, dtype).reshape((1,) * (ndim - 1) + (-1,))


def _weights(levels: Sequence[int], order: Order) -> np.ndarray:
    if order == "little":
        return np.asarray([math.prod(levels[:i]) for i in range(len(levels))])
    return np.asarray([math.prod(levels[i + 1 :]) for i in range(len(levels))])
