"""How well a prior predicts codes that it has not seen."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.evaluation.base import Evaluation, Report
from vq_jax.evaluation.prior import PriorSubject
from vq_jax.metrics import accumulate
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class Likelihood(Evaluation):
    """Cross-entropy of the codes of a split, beside what needs no prior.

    nats_per_token, and bits_per_pixel: the rate of an ideal coder with this prior, over
    height x width. For a family that has only a bound they are called
    bound_nats_per_token and bound_bits_per_pixel. Nothing is dropped, hidden or
    smoothed. order0_nats_per_token is the entropy of the split's own histogram of
    codes, uniform_nats_per_token is log K, and the same in bits a pixel.

    Attributes:
        batch_size: images of a global batch.
        max_images: only so many of the split; 0 is all of them.
    """

    SUBJECT: ClassVar = PriorSubject

    batch_size: ranges.Count = 64
    max_images: ranges.Natural = 0

    def __post_init__(self):
        sharding.check_batch_size(
            self.batch_size, self.subject.mesh, f"{self.where}.batch_size"
        )

    @property
    def nets(self):
        return self.subject.nets

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        subject = self.subject
        variables = subject.variables(variables, nets)
        batches = subject.code_batches(
            subject.split, self.batch_size, limit=self.max_images or None
        )
        sums = accumulate.merge_all(
            self._sums(variables, batch, nets) for batch in batches
        )
        found = sums.compute()
        tokens = subject.model.layout.num_tokens
        pixels = subject.data.image_size**2
        rates = {
            subject.model.likelihood: found["nats"] / tokens,
            "order0": _entropy(np.asarray(sums.code_counts, np.float64)),
            "uniform": math.log(subject.model.layout.codebook_size),
        }
        metrics = {"num_images": found["num_images"]}
        for name, nats in rates.items():
            prefix = "" if name == "exact" else f"{name}_"
            metrics |= {
                f"{prefix}nats_per_token": nats,
                f"{prefix}bits_per_pixel": tokens * nats / (math.log(2) * pixels),
            }
        return Report(metrics)

    @functools.cached_property
    def _sums(self) -> Callable:
        """Sums over a batch: (variables, batch, nets) -> MetricSums, compiled."""
        prior, data = self.subject.model, self.subject.code_data

        def sums(variables, batch, nets):
            codes = data.codes(batch, nets)
            log_prob = prior.apply(variables, codes, batch["label"], method="log_prob")
            return accumulate.masked_sums(
                {"nats": -log_prob},
                batch["mask"] > 0,
                codes,
                prior.layout.codebook_size,
            )

        return self.subject.compile(sums)


def _entropy(counts: np.ndarray) -> float:
    """Of a histogram, in nats."""
    probs = counts[counts > 0] / counts.sum()
    return float(-(probs * np.log(probs)).sum())
