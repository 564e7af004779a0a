"""Intervals of a mean over a few repetitions, as seeds."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats


class MeanInterval(NamedTuple):
    """A mean, and the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From the mean to an end."""
        return self.high - self.mean


def mean_interval(
    values: Float[np.ndarray, "n"], coverage: float = 0.95
) -> MeanInterval:
    """That of independent values of one normal law (Student 1908); two values or more.

    Of paired differences it is the interval of the paired t-test.
    """
    count, mean = len(values), float(values.mean())
    quantile = stats.t.ppf((1.0 + coverage) / 2.0, count - 1)
    width = float(quantile * values.std(ddof=1) / np.sqrt(count))
    return MeanInterval(mean, mean - width, mean + width)
