"""Intervals of a statistic, from resampling the images that it was computed from."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

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
