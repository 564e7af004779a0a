"""Intervals of a statistic, from resampling the images that it was computed from."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

RESAMPLES = 1_000


def interval(
    value: float,
    influences: Sequence[Float[np.ndarray, "_"]],
    *,
    seed: int = 0,
    coverage: float = 0.95,
) -> tuple[float, float]:
    """Ends of the percentile interval of a bootstrap of the linearised statistic.

    Each resample draws every set anew with replacement, and the statistic moves by the
    mean of the drawn influences, its first-order change. To compute a Fréchet distance
    anew a thousand times would take hours; and as copies among the drawn images act as
    fewer images, its bias would move all of them to one side. The bias of the statistic
    itself is not in the interval.

    Args:
        influences: of the images of each independent set.
        seed: of the resamples.
    """
    rng = np.random.default_rng(seed)
    moves = np.zeros(RESAMPLES)
    for found in influences:
        drawn = rng.integers(0, len(found), (RESAMPLES, len(found)), dtype=np.int32)
        moves += found[drawn].mean(axis=1)
    tail = 50.0 * (1.0 - coverage)
    low, high = np.percentile(value + moves, [tail, 100.0 - tail])
    return float(low), float(high)


def resampled(
    statistic: Callable[[Float[np.ndarray, "n"]], Sequence[float]],
    strata: Int[np.ndarray, "n"],
    *,
    seed: int = 0,
    coverage: float = 0.95,
    resamples: int = RESAMPLES,
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Ends of the percentile intervals of statistics that are cheap to compute anew.

    Args:
        statistic: k numbers, of how many times each of n images was drawn.
        strata: of each image; as many of each stratum are drawn as it has.
        seed: of the resamples.
        coverage: of the intervals.
        resamples: how many.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    values = []
    for _ in range(resamples):
        drawn = [rng.choice(images, len(images)) for images in members]
        counts = np.bincount(np.concatenate(drawn), minlength=len(strata))
        values.append(statistic(counts.astype(np.float64)))
    tail = 50.0 * (1.0 - coverage)
    low, high = np.percentile(np.asarray(values), [tail, 100.0 - tail], axis=0)
    return low, high
