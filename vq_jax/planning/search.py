"""The largest batch that fits, by few compilations. Pure, given how to compile."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Need(NamedTuple):
    """Memory that a batch needs on a chip; infinite where only `fits` is known."""

    num_bytes: int | float
    fits: bool


class Bounds(NamedTuple):
    """The batches that a search may take.

    Attributes:
        unit: batches are multiples of it.
        most: the largest batch that a configuration may have.
        limit: memory of a chip, which guesses aim at.
    """

    unit: int
    most: int
    limit: float


class Largest(NamedTuple):
    """What is known: `batch` fits (0: none is known to), `too_large` does not (None:
    none is known)."""

    batch: int
    too_large: int | None


def largest_batch(
    need: Callable[[int], Need],
    known: Mapping[int, Need],
    bounds: Bounds,
    compiles: int,
) -> Largest:
    """Asks `need` for at most `compiles` batches; fewer where the answer is exact.

    Memory grows by about a straight line, so each guess is where the line through the
    two nearest measurements meets the limit, and the next one step beside it.

    Args:
        need: compiles the step for a batch.
        known: batches that were compiled before; 0 stands for what is no batch's.
        bounds: which batches there are.
        compiles: the most calls of `need`.
    """
    known = dict(known)
    for _ in range(compiles):
        guess = next_guess(known, bounds)
        if guess is None:
            break
        known[guess] = need(guess)
    return _largest(known)


def next_guess(known: Mapping[int, Need], bounds: Bounds) -> int | None:
    """The batch to compile next, or None where the largest one is known."""
    low, too_large = _largest(known)
    high = bounds.most + 1 if too_large is None else too_large
    first = low + bounds.unit
    last = (high - 1) // bounds.unit * bounds.unit
    if first > last:
        return None
    guess = _crossing(known, bounds.limit)
    if guess is None:
        guess = 2 * first if too_large is None else (low + high) / 2
    guess = min(max(guess, first), last)
    return max(first, int(guess) // bounds.unit * bounds.unit)


def _largest(known: Mapping[int, Need]) -> Largest:
    too_large = min((b for b, need in known.items() if not need.fits), default=None)
    fitting = [b for b, need in known.items() if need.fits]
    return Largest(max(fitting, default=0), too_large)


def _crossing(known: Mapping[int, Need], limit: float) -> float | None:
    """Where the line through the two measurements nearest to the limit meets it."""
    measured = [
        (b, n.num_bytes) for b, n in known.items() if math.isfinite(n.num_bytes)
    ]
    nearest = sorted(measured, key=lambda point: abs(point[1] - limit))[:2]
    if len(nearest) < 2:
        return None
    (batch, num_bytes), (other, other_bytes) = nearest
    slope = (num_bytes - other_bytes) / (batch - other)
    return batch + (limit - num_bytes) / slope if slope > 0 else None
