"""How well a restorer undoes a degradation of a split: numbers, and a picture."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.data import degraded_batches
from vq_jax.data.degradations.degradation import Degradation
from vq_jax.errors import InputError
from vq_jax.evaluation import pictures
from vq_jax.evaluation.base import Evaluation, Report, Subject
from vq_jax.inference.load import SavedTokenizer
from vq_jax.inference.restoration import Models, most_likely, restore
from vq_jax.metrics import accumulate
from vq_jax.metrics.joined import joined, prefixed
from vq_jax.metrics.lpips import lpips
from vq_jax.metrics.ssim import WINDOW_SIZE
from vq_jax.models.perceptual.lpips import NETS
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.ops import cross_entropy
from vq_jax.ops import images as image_ops
from vq_jax.pretrained.lpips import lpips_nets
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
class Restoration(RestorationEvaluation):
    """Distance of restored images from the clean ones over a split.

    Every image counts once, and is degraded alike whenever it is evaluated. psnr, ssim,
    l1, l2 and lpips_NET as of reconstructions; the same but l1 and l2 of what the
    restorer is given, as degraded_psnr, …; cross_entropy (of the clean image's codes,
    nats a token), code_accuracy; usage and perplexity of the predicted codes.

    Attributes:
        batch_size: images of a global batch.
        max_images: only so many of the split; 0 is all of them.
        lpips: networks that LPIPS is computed with, of "alexnet" and "vgg16".
    """

    batch_size: ranges.Count = 64
    max_images: ranges.Natural = 0
    lpips: tuple[Literal[tuple(NETS)], ...] = ()

    def __post_init__(self):
        sharding.check_batch_size(
            self.batch_size, self.subject.mesh, f"{self.where}.batch_size"
        )
        if self.subject.data.image_size < WINDOW_SIZE:
            raise InputError(
                f"config.data.image_size={self.subject.data.image_size} is too small "
                f"for {self.where}: SSIM has a window of {WINDOW_SIZE}. Train on "
                "larger images, or leave that section out of the configuration."
            )

    @property
    def nets(self):
        return {**super().nets, **lpips_nets(self.lpips)}

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        batches = self.subject.batches(self.batch_size, limit=self.max_images or None)
        nets = {net: nets[net] for net in self.nets}
        sums = accumulate.merge_all(
            self._sums(variables, batch, nets) for batch in batches
        )
        return Report(sums.compute())

    @functools.cached_property
    def _sums(self) -> Callable:
        """Sums over a batch: (variables, batch, nets) -> MetricSums, compiled."""
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
                    self._distances(nets, recon, images),
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

    def _distances(self, nets, recon, images):
        of_lpips = {net: nets[net] for net in self.lpips}
        return {
            **accumulate.image_metrics(recon, images),
            **lpips(of_lpips, recon, images),
        }

    def _given(self, nets, degraded, images):
        found = self._distances(nets, degraded, images)
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
