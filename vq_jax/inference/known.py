"""Codes that a user gives: are they those of the prior, and can a sample keep them?"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Integer

from vq_jax.errors import InputError
from vq_jax.models.priors.base import Prior
from vq_jax.ops.token_layout import TokenLayout

KnownCodes = tuple[np.ndarray, np.ndarray]
"""Integers and bool, [*tokens] for all samples or [n, *tokens]."""


def check_codes(codes: np.ndarray, layout: TokenLayout, name: str) -> None:
    """Raises InputError where these are no codes of images, one after the other."""
    if codes.shape[1:] != layout.shape or not np.issubdtype(codes.dtype, np.integer):
        raise InputError(
            f"{name} are {codes.dtype} {codes.shape}; the prior is one of integers "
            f"{_axes('n', layout)}."
        )
    if codes.size and not 0 <= codes.min() <= codes.max() < layout.codebook_size:
        raise InputError(
            f"{name} range over [{codes.min()}, {codes.max()}] but the tokenizer has "
            f"codes 0 to {layout.codebook_size - 1}."
        )


def checked_known(
    known: KnownCodes, count: int, prior: Prior
) -> tuple[Integer[np.ndarray, "n *tokens"], Bool[np.ndarray, "n *tokens"]]:
    """Known codes of each of `count` samples, 0 where none is known, and their mask.

    Raises:
        InputError: they have other shapes or types, are no codes, or are not those that
            the prior can keep.
    """
    codes, mask = checked_mask(known, count, prior)
    codes = np.where(mask, codes, 0)
    check_codes(codes, prior.layout, "known codes")
    if prior.keeps == "prefix":
        _check_prefix(mask, prior.layout)
    return codes.astype(np.int32), mask


def checked_mask(
    known: KnownCodes, count: int, prior: Prior
) -> tuple[np.ndarray, Bool[np.ndarray, "n *tokens"]]:
    """Codes and a mask of them, of each of `count` images.

    Raises:
        InputError: the mask is not bool, or they have other shapes.
    """
    codes, mask = map(np.asarray, known)
    if mask.dtype != bool:
        raise InputError(
            f"known: the mask is {mask.dtype}; give bool, True where kept."
        )
    shape = (count, *prior.layout.shape)
    try:
        return np.broadcast_to(codes, shape), np.broadcast_to(mask, shape)
    except ValueError as error:
        raise InputError(
            f"known: codes are {codes.shape} and the mask {mask.shape}; give both as "
            f"{_axes(count, prior.layout)}, or without the first axis for all samples."
        ) from error


def num_first(mask: Bool[np.ndarray, "n *tokens"], layout: TokenLayout) -> int:
    """So many codes at the start of the sequence are known in all samples."""
    sequence = np.asarray(layout.to_sequence(jnp.asarray(mask)))
    return int(np.argmin(np.append(sequence.all(axis=0), False)))


def _check_prefix(mask: np.ndarray, layout: TokenLayout) -> None:
    sequence = np.asarray(layout.to_sequence(jnp.asarray(mask)))
    if np.any(sequence[:, 1:] & ~sequence[:, :-1]):
        raise InputError(
            "known: the mask has gaps, and this prior draws one code after the other, "
            "row by row and level by level. Keep the first codes of this order only, "
            "as those of the upper rows, or take a prior that keeps any, as MaskGIT."
        )


def _axes(first: int | str, layout: TokenLayout) -> str:
    return f"[{', '.join(map(str, (first, *layout.shape)))}]"
