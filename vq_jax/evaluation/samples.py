"""A picture of what a prior draws."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.config import ranges
from vq_jax.evaluation import pictures
from vq_jax.evaluation.base import Report
from vq_jax.evaluation.prior import PriorEvaluation
from vq_jax.models.priors.base import NO_CLASS
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class Samples(PriorEvaluation):
    """Images drawn from the prior, "samples": the same draws at every evaluation.

    Of a prior with classes a row is of one class, from the first class on.

    Attributes:
        num_images: number of images.
        columns: images in a row.
        seed: of the draws.
    """

    num_images: ranges.Count = 64
    columns: ranges.Count = 8
    seed: ranges.Natural = 0

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        variables = self.subject.variables(variables, nets)
        images = jax.device_get(self._draw(variables, self._labels()))
        return Report(pictures={"samples": pictures.grid(images, self.columns)})

    def _labels(self) -> np.ndarray:
        rows, classes = np.arange(self.num_images), self.subject.model.num_classes
        if not classes:
            return np.full(self.num_images, NO_CLASS, np.int32)
        return np.asarray(rows // self.columns % classes, np.int32)

    @functools.cached_property
    def _draw(self) -> Callable:
        """(variables, labels) -> uint8 images, compiled."""

        def draw(variables, labels):
            rows = jnp.arange(len(labels))
            return self.subject.draw(variables, self.seed, rows, labels)

        return self.subject.compile(draw)
