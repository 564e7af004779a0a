"""How far the images that a prior draws are from real ones, as sets."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import jax
import numpy as np

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.evaluation.base import Report
from vq_jax.evaluation.feature_nets import FEATURE_NETS, prepared
from vq_jax.evaluation.image_batches import ImageBatches
from vq_jax.evaluation.prior import PriorEvaluation
from vq_jax.inference.labels import balanced_labels
from vq_jax.metrics import bootstrap
from vq_jax.metrics.frechet import frechet_distance
from vq_jax.metrics.kid import kernel_distance
from vq_jax.typing import Variables

DISTANCES = {"frechet": frechet_distance, "kid": kernel_distance}
MIN_SIDE = 32  # smaller ones leave AlexNet no positions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generation(PriorEvaluation):
    """Fréchet distance and KID of samples from held-out images, with what they mean.

    frechet_NET_SIZE and kid_NET_SIZE, for each network of `features`, with images of
    SIZE x SIZE pixels; and beside each

    * …_low, …_high: 95 % interval, from resampling the images on both sides. The bias
      of a Fréchet distance at few images is not in it.
    * …_floor: of real training images, in the samples' place: no prior can be expected
      to be lower. The training split has none: it would be its own images, at 0.
    * …_ceiling: of the held-out images through the tokenizer: what a perfect prior over
      its codes would come to.

    The numbers of images on all sides are equal, num_generated: `num_images`, or those
    that the smaller split has, since a Fréchet distance depends on it. None of this is
    FID. Samples are drawn as `config.sampling` says, equally many of each class.

    Attributes:
        batch_size: images of a global batch.
        num_images: on each side.
        features: networks, of "alexnet" and "lite0".
        feature_size: side of the square that all images are scaled to, in pixels.
        seed: of the draws, of the choice of real images, and of resampling.
    """

    batch_size: ranges.Count = 64
    num_images: ranges.Count = 10_000
    features: tuple[Literal[tuple(FEATURE_NETS)], ...] = ("lite0",)
    feature_size: ranges.Width = 224
    seed: ranges.Natural = 0

    def __post_init__(self):
        sharding.check_batch_size(
            self.batch_size, self.subject.mesh, f"{self.where}.batch_size"
        )
        if self.feature_size < MIN_SIDE:
            raise InputError(
                f"{self.where}.feature_size={self.feature_size} leaves the networks "
                f"nothing to see; give {MIN_SIDE} or more pixels."
            )

    @property
    def nets(self):
        judges = {_net(name): FEATURE_NETS[name].net for name in self.features}
        return {**super().nets, **judges}

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        if not self.features:
            return Report()
        subject, images = self.subject, self._images
        variables = subject.variables(variables, nets)
        judges = {name: nets[_net(name)] for name in self.features}
        count, split = self._count, subject.split
        labels = balanced_labels(count, subject.model.num_classes)
        recons = images.reconstructions(variables, images.real(split, count))
        sets = {"": images.samples(variables, labels), "_ceiling": recons}
        if split != subject.data.train_split:
            sets["_floor"] = images.real(subject.data.train_split, count)
        real = self._features(judges, images.real(split, count))
        found = {k: self._features(judges, batches) for k, batches in sets.items()}
        return Report(self._metrics(real, found))

    def _metrics(self, real, sets: Mapping[str, Mapping]) -> dict[str, float | int]:
        """Of features: network -> [n, d] of real images, and of each of the sets."""
        count = min(len(x) for group in (real, *sets.values()) for x in group.values())
        metrics = {"num_generated": count}
        for name in self.features:
            for distance, fn in DISTANCES.items():
                prefix = f"{distance}_{name}_{self.feature_size}"
                for suffix, group in sets.items():
                    value, *influences = fn(group[name][:count], real[name][:count])
                    metrics[f"{prefix}{suffix}"] = value
                    if not suffix:
                        low, high = bootstrap.interval(
                            value, influences, seed=self.seed
                        )
                        metrics |= {f"{prefix}_low": low, f"{prefix}_high": high}
        return metrics

    def _features(self, judges, batches: Iterable[dict]) -> dict[str, np.ndarray]:
        """Features in each of the networks, without padding: [n, d]."""
        parts = []
        for batch in batches:
            found = jax.device_get(self._extract(judges, batch["image"], batch["mask"]))
            kept = found.pop(MASK) > 0
            parts.append({name: rows[kept] for name, rows in found.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in judges}

    @functools.cached_property
    def _extract(self) -> Callable:
        """(judges, images, mask) -> features and mask on every device, compiled."""

        def extract(judges, images, mask):
            small = prepared(images, self.feature_size)
            found = {
                name: FEATURE_NETS[name].features(params, small)
                for name, params in judges.items()
            }
            return {**found, MASK: mask}

        return self.subject.compile(extract)

    @functools.cached_property
    def _images(self) -> ImageBatches:
        return ImageBatches(self.subject, self.batch_size, self.seed)

    @functools.cached_property
    def _count(self) -> int:
        data = self.subject.data
        splits = {self.subject.split, data.train_split}
        count = min(self.num_images, *(self._images.size(split) for split in splits))
        if count < 2:
            raise InputError(
                f"{self.where} compares sets of images, and a split of {splits} has "
                f"{count}; leave that section out, or evaluate another split."
            )
        return count


MASK = "mask"


def _net(name: str) -> str:
    """Its name among `nets`, apart from LPIPS of the same network."""
    return f"features_{name}"
