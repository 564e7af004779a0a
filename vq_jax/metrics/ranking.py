"""How well scores rank positives above negatives: areas under two curves.

A score is larger where something is more likely positive. Each element may count
several times, or not at all, which is what a bootstrap over images needs.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from vq_jax.errors import InputError
from vq_jax.metrics import bootstrap


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Scores in falling order, sorted once for any weights.

    Attributes:
        scores: [n], finite.
        positive: [n]; some of both kinds.
    """

    scores: Float[np.ndarray, "n"]
    positive: Bool[np.ndarray, "n"]

    def __post_init__(self):
        if not np.isfinite(self.scores).all():
            raise InputError("scores have numbers that are not finite.")
        if self.positive.all() or not self.positive.any():
            raise InputError(
                f"of {len(self.positive)} scores {int(self.positive.sum())} are "
                "positives; a ranking needs some of both kinds."
            )

    def auroc(self, weights: Float[np.ndarray, "n"] | None = None) -> float:
        """Area under the receiver operating characteristic.

        The probability that a positive has a larger score than a negative, ties as one
        half; 0.5 for scores that say nothing.
        """
        true, false = self._counts(weights)
        steps = np.diff(false, prepend=0.0)
        middle = true - np.diff(true, prepend=0.0) / 2
        return float(steps @ middle / (true[-1] * false[-1]))

    def average_precision(self, weights: Float[np.ndarray, "n"] | None = None) -> float:
        """Area under precision over recall, as a sum of steps (average precision).

        Σ (recall - recall before) · precision over thresholds from the highest score;
        elements of one score come together. Scores that say nothing have the share of
        positives.
        """
        true, false = self._counts(weights)
        steps = np.diff(true, prepend=0.0)
        found = steps > 0
        precision = true[found] / (true[found] + false[found])
        return float(steps[found] @ precision / true[-1])

    def _counts(self, weights):
        """Weight of positives and of negatives at or above each score that occurs."""
        weights = np.ones(len(self.scores)) if weights is None else weights
        falling = weights[self._order]
        positive = np.where(self.positive[self._order], falling, 0.0)
        true = np.cumsum(positive)[self._ends]
        return true, np.cumsum(falling)[self._ends] - true

    @functools.cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(-self.scores, kind="stable")

    @functools.cached_property
    def _ends(self) -> np.ndarray:
        """Where the last element of each score is."""
        last = np.diff(self.scores[self._order], append=-np.inf) != 0
        return np.flatnonzero(last)


def image_intervals(
    scores: Float[np.ndarray, "n"], positive: Bool[np.ndarray, "n"], *, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Value and ends of the 95 % interval of each area: "auroc" and "auprc" of images.

    Positives and negatives are drawn anew, as many of each: precision depends on their
    shares.
    """
    ranking = Ranking(scores, positive)
    return _intervals(ranking, lambda counts: counts, positive.astype(int), seed)


def pixel_intervals(
    scores: Float[np.ndarray, "n h w"], positive: Bool[np.ndarray, "n h w"], *, seed=0
) -> dict[str, tuple[float, float, float]]:
    """The same over all pixels of all images; whole images are drawn anew.

    Pixels of an image depend on each other, so intervals over pixels would be too
    small.
    """
    ranking = Ranking(scores.ravel(), positive.ravel())
    area = scores[0].size
    strata = np.zeros(len(scores), int)
    return _intervals(ranking, lambda counts: counts.repeat(area), strata, seed)


def _intervals(ranking: Ranking, to_weights: Callable, strata, seed: int):
    values = ranking.auroc(), ranking.average_precision()

    def statistic(counts):
        weights = to_weights(counts)
        return ranking.auroc(weights), ranking.average_precision(weights)

    low, high = bootstrap.resampled(statistic, strata, seed=seed)
    found = zip(values, low, high, strict=True)
    return {
        name: tuple(map(float, parts))
        for name, parts in zip(("auroc", "auprc"), found, strict=True)
    }
