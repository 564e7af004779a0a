"""How well a restorer undoes a degradation of a split: numbers, and a picture."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.data import degraded_batches
from vq_jax.data.degradations.degradation import Degradation
from vq_jax.evaluation import pictures
from vq_jax.evaluation.base import Evaluation, Report, Subject
from vq_jax.evaluation.image_distances import ImageDistances
from vq_jax.inference.load import SavedTokenizer
from vq_jax.inference.restoration import Models, most_likely, restore
from vq_jax.metrics import accumulate
from vq_jax.metrics.joined import joined, prefixed
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.ops import cross_entropy
from vq_jax.ops import images as image_ops
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True)
class RestorationSubject(Subject):
    """A restorer, whose variables an evaluation is called with, and what it needs.

    Attributes:
        models: the restorer and its tokenizer.
        tokenizer: the latter, with its variables.
        degradation: what is done to the images.
        seed: of that.
    """

    models: Models
    tokenizer: SavedTokenizer
    degradation: Degradation
    seed: int

    def batches(self, batch_size, *, limit=None):
        """As those of `Subject`, with "degraded" beside "image"."""
        batches = degraded_batches.eval_batches(
            self.data,
            self.degradation,
            self.split,
            seed=self.seed,
            batch_size=batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            limit=limit,
        )
        return (sharding.global_batch(batch, self.mesh) for batch in batches)

    def first_pairs(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first images, clean and degraded, uint8 [n, S, S, C]; the same on every
        process."""
        batches = degraded_batches.eval_batches(
            self.data, self.degradation, self.split, seed=self.seed, batch_size=1
        )
        found = (batch for batch in batches if batch["mask"][0])
        chosen = [*itertools.islice(found, count)]
        clean, degraded = (
            np.concatenate([batch[name] for batch in chosen])
            for name in ("image", "degraded")
        )
        return clean, degraded


@dataclasses.dataclass(frozen=True, kw_only=True)
class RestorationEvaluation(Evaluation):
    """What evaluations of restorers share.

    Attributes:
        fidelity: w of `Models.decode`, in [0, 1].
    """

    SUBJECT: ClassVar = RestorationSubject

    fidelity: ranges.Fraction = 0.0

    @property
    def nets(self):
        return {TOKENIZER: self.subject.tokenizer.net}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restoration(ImageDistances, RestorationEvaluation):
    """Distances of restored images from the clean ones over a split.

    An image is degraded alike whenever it is evaluated. Beside the distances: the same
    but l1 and l2 of what the restorer is given, as degraded_psnr, …; cross_entropy (of
    the clean image's codes, nats a token), code_accuracy; usage and perplexity of the
    predicted codes.
    """

    @functools.cached_property
    def sums(self) -> Callable:
        models = self.subject.models

        def sums(variables, batch, nets):
            tokenizer = nets[TOKENIZER]
            images = image_ops.from_uint8(batch["image"])
            degraded = image_ops.from_uint8(batch["degraded"])
            output = models.predict(variables, tokenizer, degraded)
            indices = most_likely(output.logits)
            recon = models.decode(
                variables, tokenizer, indices, output.encoded, self.fidelity
            )
            return accumulate.masked_sums(
                joined(
                    self.distances(nets, recon, images),
                    prefixed("degraded_", self._given(nets, degraded, images)),
                    _code_metrics(
                        output.logits, indices, models.targets(tokenizer, images)[0]
                    ),
                ),
                batch["mask"] > 0,
                indices,
                models.tokenizer.quantizer.codebook_size,
            )

        return self.subject.compile(sums)

    def _given(self, nets, degraded, images):
        found = self.distances(nets, degraded, images)
        return {name: x for name, x in found.items() if name not in ("l1", "l2")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RestorationPictures(RestorationEvaluation):
    """The first images of a split as given, restored, and clean: "restorations"."""

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        clean, degraded = self._images
        tokenizer = nets[TOKENIZER]
        restored = jax.device_get(self._restore(variables, tokenizer, degraded))
        grid = pictures.comparison_grid(degraded, restored, clean)
        return Report(pictures={"restorations": grid})

    @functools.cached_property
    def _images(self):
        return self.subject.first_pairs(pictures.NUM_PICTURES)

    @functools.cached_property
    def _restore(self) -> Callable:
        """(variables, the tokenizer's, uint8 [b, h, w, c]) -> the same shape."""
        models = self.subject.models
        return self.subject.compile(
            functools.partial(restore, models, fidelity=self.fidelity)
        )


def _code_metrics(logits, indices, targets):
    """{"cross_entropy", "code_accuracy"} of each image."""
    nats = cross_entropy.token_nats(logits, targets)
    hits = (indices == targets).astype(jnp.float32)
    return {
        "cross_entropy": jnp.mean(nats, axis=(1, 2)),
        "code_accuracy": jnp.mean(hits, axis=(1, 2)),
    }
