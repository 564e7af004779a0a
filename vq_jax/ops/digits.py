"""Indices from digits and back: mixed radix for FSQ, bits for LFQ and BSQ."""

import math
from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Num

Order = Literal["little", "big"]
"""Place of the first digit: "little" if it is the least significant, "big" if most."""


def to_index(
    digits: Int[Array, "*n d"], radices: Sequence[int], order: Order
) -> Int[Array, "*n"]:
    """The int32 number, in [0, prod(radices)), whose digit i is in [0, radices[i])."""
    weights = along_last(_weights(radices, order), digits.ndim, jnp.int32)
    return jnp.sum(digits.astype(jnp.int32) * weights, axis=-1)


def from_index(
    index: Int[Array, "*n"], radices: Sequence[int], order: Order
) -> Int[Array, "*n d"]:
    """The int32 digits of a number in [0, prod(radices)): the inverse of `to_index`."""
    ndim = index.ndim + 1
    weights = along_last(_weights(radices, order), ndim, jnp.int32)
    return (index[..., None] // weights) % along_last(radices, ndim, jnp.int32)


def along_last(
    values: Sequence[int] | np.ndarray, ndim: int, dtype
) -> Num[Array, "..."]:
    """`values` as the last of `ndim` axes, so that they broadcast against digits."""
    return jnp.asarray(values, dtype).reshape((1,) * (ndim - 1) + (-1,))


def _weights(radices: Sequence[int], order: Order) -> np.ndarray:
    """Place values: what digit i is multiplied by."""
    if order == "little":
        return np.asarray([math.prod(radices[:i]) for i in range(len(radices))])
    return np.asarray([math.prod(radices[i + 1 :]) for i in range(len(radices))])
