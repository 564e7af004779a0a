"""From accuracies of seeds to intervals, and whether an arm helps."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from vq_jax.apps.augmentation.experiment import BASELINE
from vq_jax.metrics.student import MeanInterval, mean_interval

HELPS, HURTS, UNCLEAR = "helps", "hurts", "no difference shown"


@dataclasses.dataclass(frozen=True)
class ArmSummary:
    """An arm over all seeds. Intervals are 95 % ones of a mean (Student's t).

    Attributes:
        name: of the arm.
        num_images: that its batches were drawn from.
        accuracies: on test images, in the order of the seeds.
        accuracy: their mean.
        gain: the mean of the differences to BASELINE, seed by seed; None of it itself.
    """

    name: str
    num_images: int
    accuracies: Sequence[float]
    accuracy: MeanInterval
    gain: MeanInterval | None

    @property
    def verdict(self) -> str:
        """HELPS or HURTS where the interval of the gain is all above or below 0."""
        if self.gain is None:
            return "compared with"
        if self.gain.low > 0:
            return HELPS
        return HURTS if self.gain.high < 0 else UNCLEAR

    def as_json(self) -> dict:
        gain = None if self.gain is None else self.gain._asdict()
        return {
            "arm": self.name,
            "num_images": self.num_images,
            "accuracies": list(self.accuracies),
            "accuracy": self.accuracy._asdict(),
            "gain": gain,
            "verdict": self.verdict,
        }


def summarise(
    accuracies: Mapping[str, Sequence[float]], num_images: Mapping[str, int]
) -> list[ArmSummary]:
    """One summary an arm, in their order.

    Args:
        accuracies: by arm, BASELINE among them; of the same seeds.
        num_images: by arm.
    """
    values = {name: np.array(found) for name, found in accuracies.items()}
    gains = {
        name: mean_interval(found - values[BASELINE])
        for name, found in values.items()
        if name != BASELINE
    }
    return [
        ArmSummary(
            name,
            num_images[name],
            accuracies[name],
            mean_interval(found),
            gains.get(name),
        )
        for name, found in values.items()
    ]


def verdict(arms: Sequence[ArmSummary]) -> str:
    """What helps and what doesn't, in a sentence; gains are in points."""
    groups = {HELPS: [], HURTS: [], UNCLEAR: []}
    for arm in arms:
        if arm.gain is not None:
            groups[arm.verdict].append(f"{arm.name} ({points(arm.gain)})")
    said = (
        ("More accurate than real images alone: ", HELPS),
        ("Less accurate: ", HURTS),
        ("No difference shown: ", UNCLEAR),
    )
    return " ".join(
        f"{text}{'; '.join(groups[key])}." for text, key in said if groups[key]
    )


def percent(interval: MeanInterval) -> str:
    """As "81.24 [80.90, 81.58]"."""
    mean, low, high = (f"{100 * value:.2f}" for value in interval)
    return f"{mean} [{low}, {high}]"


def points(interval: MeanInterval) -> str:
    """As "+1.24 [+0.90, +1.58]"."""
    mean, low, high = (f"{100 * value:+.2f}" for value in interval)
    return f"{mean} [{low}, {high}]"
