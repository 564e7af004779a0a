"""Codes of images of any size drawn anew by a prior, window by window."""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from vq_jax.apps.windows import windows
from vq_jax.inference.known import checked_known
from vq_jax.inference.sampler import Sampler
from vq_jax.models.priors.base import Prior


class Window(NamedTuple):
    """A part of the code grid of the prior's size, in which codes are drawn."""

    place: tuple[slice, ...]  # rows and columns; () is all, of codes without a grid
    known: Bool[np.ndarray, "n *tokens"]  # when its turn comes


def plan_windows(
    open_codes: Bool[np.ndarray, "n *tokens"], prior: Prior
) -> list[Window]:
    """Windows in the order of drawing: row by row, in steps of half a window.

    A window sees all its codes that are known or were drawn in windows before, and
    draws its others at once. Those in which nothing is open are left out.

    Args:
        open_codes: which codes are to be drawn, of each of n images.
        prior: the prior; the grid of codes is as large as its own, or larger.

    Raises:
        InputError: the prior cannot keep the codes that are known in some window.
    """
    left, planned = open_codes.copy(), []
    for place in window_places(open_codes.shape[1:], prior.layout.shape):
        here = (slice(None), *place)
        known = ~left[here]
        if known.all():
            continue
        checked_known((np.zeros(known.shape, int), known), len(known), prior)
        planned.append(Window(place, known))
        left[here] = False
    return planned


def window_places(
    shape: tuple[int, ...], window: tuple[int, ...]
) -> list[tuple[slice, ...]]:
    """Rows and columns of windows over codes of this shape; they overlap by half."""
    if len(window) < 2:
        return [()]
    axes = (
        windows(length, side).starts.tolist()
        for length, side in zip(shape[:2], window[:2], strict=True)
    )
    starts = itertools.product(*axes)
    return [
        (slice(row, row + window[0]), slice(column, column + window[1]))
        for row, column in starts
    ]


def redraw(
    sampler: Sampler,
    codes: Int[np.ndarray, "n *tokens"],
    windows: list[Window],
    label: int | str | None,
    seed: int,
    **settings,
) -> Int[np.ndarray, "n *tokens"]:
    """The codes, with samples of the prior in place of those that are open.

    Args:
        sampler: the prior.
        codes: of n images of one size.
        windows: of `plan_windows`.
        label: a class for all, or "none"; None where the prior has no classes.
        seed: of the draws.
        settings: those of `Sampler.sample_codes`.
    """
    codes = codes.copy()
    for number, (place, known) in enumerate(windows):
        # Of its own, so that windows do not repeat each other's draws.
        own = np.random.SeedSequence([seed, number]).generate_state(1)
        here = (slice(None), *place)
        codes[here] = sampler.sample_codes(
            len(codes), label, int(own[0]), known=(codes[here], known), **settings
        )
    return codes


def positions_to_codes(
    positions: Bool[np.ndarray, "n hq wq"], shape: tuple[int, ...]
) -> Bool[np.ndarray, "n hq wq *levels"]:
    """Of a mask of positions: all codes of a position alike; `shape` is an image's."""
    expanded = positions.reshape(positions.shape + (1,) * (len(shape) - 2))
    return np.broadcast_to(expanded, (len(positions), *shape))


def no_class(prior: Prior) -> str | None:
    """The label of images whose class is not used."""
    return "none" if prior.num_classes else None
