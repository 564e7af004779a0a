"""How well a prior predicts codes that it has not seen."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.evaluation.base import Report
from vq_jax.evaluation.prior import PriorEvaluation
from vq_jax.metrics import accumulate
from vq_jax.metrics.joined import prefixed
from vq_jax.metrics.signs import Sign
from vq_jax.typing import Variables

SHARED_GAIN = 0.75
"""Of what a prior learns beyond a histogram on training images, so much at least should
hold on others."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Likelihood(PriorEvaluation):
    """Cross-entropy of the codes of a split, beside what needs no prior.

    nats_per_token, and bits_per_pixel: the rate of an ideal coder with this prior, over
    height x width. For a family that has only a bound they are called
    bound_nats_per_token and bound_bits_per_pixel. Nothing is dropped, hidden or
    smoothed. order0_nats_per_token is the entropy of the split's own histogram of
    codes (the mean over codebooks, where there are several), uniform_nats_per_token is
    log K, and the same in bits a pixel.

    train_… are the same numbers of images of the training split, cropped as in
    evaluation; gap_nats_per_token is how much worse the split is than they are.

    Attributes:
        batch_size: images of a global batch.
        max_images: only so many of the split; 0 is all of them.
        train_images: of the training split, for comparison; 0 leaves them out.
    """

    batch_size: ranges.Count = 64
    max_images: ranges.Natural = 0
    train_images: ranges.Natural = 2_048

    def __post_init__(self):
        sharding.check_batch_size(
            self.batch_size, self.subject.mesh, f"{self.where}.batch_size"
        )

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        subject = self.subject
        variables = subject.variables(variables, nets)
        metrics = self._measure(variables, nets, subject.split, self.max_images)
        if self.train_images:
            split, rate = subject.data.train_split, self._rate
            train = self._measure(variables, nets, split, self.train_images)
            gap = metrics[rate] - train[rate]
            train = {k: v for k, v in train.items() if not k.startswith("uniform")}
            metrics |= {**prefixed("train_", train), "gap_nats_per_token": gap}
        return Report(metrics)

    def signs(self):
        return {
            "parted": Sign(
                self._parted,
                f"less than {SHARED_GAIN:.0%} of what it has learnt about training "
                "images, beyond a histogram of their codes, holds for those of "
                f"{self.subject.split!r}. It learns its images by heart, or the two "
                "differ in kind: stop earlier (eval's nats_per_token has its best "
                "behind it), give config.prior.dropout or config.optim.weight_decay a "
                "value, take a smaller prior, or more images and crops.",
                patience=2,
            )
        }

    def _parted(self, metrics: Mapping[str, float]) -> bool:
        if not self.train_images:
            return False
        train, held_out = (
            metrics[f"{part}order0_nats_per_token"] - metrics[f"{part}{self._rate}"]
            for part in ("train_", "")
        )
        # Of next to nothing any part may be missing.
        return train > 0.05 and held_out < SHARED_GAIN * train

    @property
    def _rate(self) -> str:
        """What the prior's own number is called."""
        exact = self.subject.model.likelihood == "exact"
        return "nats_per_token" if exact else "bound_nats_per_token"

    def _measure(
        self, variables: Variables, nets: Mapping[str, Any], split: str, limit: int
    ) -> dict[str, float | int]:
        """All numbers of the first `limit` images of a split; 0 is all of them."""
        subject = self.subject
        batches = subject.code_batches(split, self.batch_size, limit=limit or None)
        sums = accumulate.merge_all(
            self._sums(variables, batch, nets) for batch in batches
        )
        found, tokens = sums.compute(), subject.model.layout.num_tokens
        rates = {
            self._rate: found["nats"] / tokens,
            "order0_nats_per_token": _entropy(np.asarray(sums.code_counts)),
            "uniform_nats_per_token": math.log(subject.model.layout.codebook_size),
        }
        bits_of_a_nat = tokens / (math.log(2) * subject.data.image_size**2)
        bits = {
            name.replace("nats_per_token", "bits_per_pixel"): bits_of_a_nat * nats
            for name, nats in rates.items()
        }
        return {**rates, **bits, "num_images": found["num_images"]}

    @functools.cached_property
    def _sums(self) -> Callable:
        """Sums over a batch: (variables, batch, nets) -> MetricSums, compiled."""
        prior, data = self.subject.model, self.subject.code_data
        num_codebooks = data.tokenizer.model.quantizer.num_codebooks

        def sums(variables, batch, nets):
            codes = data.codes(batch, nets)
            log_prob = prior.apply(variables, codes, batch["label"], method="log_prob")
            return accumulate.masked_sums(
                {"nats": -log_prob},
                batch["mask"] > 0,
                codes,
                prior.layout.codebook_size,
                num_codebooks,
            )

        return self.subject.compile(sums)


def _entropy(counts: np.ndarray) -> float:
    """Of the histogram of each codebook [codebooks, k], in nats; their mean."""
    probs = counts / counts.sum(axis=-1, keepdims=True)
    logs = np.log(np.where(probs > 0, probs, 1.0))
    return float(-(probs * logs).sum(axis=-1).mean())
