"""Whether the images that a prior draws of a class are of that class."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.data import pipeline
from vq_jax.errors import InputError
from vq_jax.evaluation import classifier
from vq_jax.evaluation.base import Report
from vq_jax.evaluation.classifier import Classifier
from vq_jax.evaluation.image_batches import ImageBatches
from vq_jax.evaluation.prior import PriorEvaluation
from vq_jax.inference.labels import balanced_labels
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recognition(PriorEvaluation):
    """Share of images whose class a small classifier of real images names.

    recognised_samples is that of samples, drawn equally many of each class, whose class
    is the one that they were drawn for; recognised_samples_low and …_high are their
    95 % interval (Wilson); recognised_real and recognised_recons are those of held-out
    images, and of these through the tokenizer. The classifier is trained on the real
    training images, once in the life of this object, and the same for the same seed on
    the same machine. It sees images of at most 32 pixels a side: it is meant for small
    data sets, and is no judge of ImageNet.

    Attributes:
        batch_size: images of a global batch.
        num_images: samples, and at most so many held-out images.
        num_steps: of the classifier's training.
        train_batch_size: images of each.
        learning_rate: the highest of AdamW.
        seed: of the draws, the choice of images, and the classifier.
    """

    batch_size: ranges.Count = 64
    num_images: ranges.Count = 2_000
    num_steps: ranges.Count = 1_400
    train_batch_size: ranges.Count = 128
    learning_rate: ranges.Positive = 2e-3
    seed: ranges.Natural = 0

    def __post_init__(self):
        for name in ("batch_size", "train_batch_size"):
            sharding.check_batch_size(
                getattr(self, name), self.subject.mesh, f"{self.where}.{name}"
            )
        if not self.subject.model.num_classes:
            raise InputError(
                f"{self.where} asks whether samples are of the class that they were "
                "drawn for, and config.prior.num_classes=0 has none; leave that "
                "section out, or train a prior with classes."
            )

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        subject, images, count = self.subject, self._images, self.num_images
        variables = subject.variables(variables, nets)
        labels = balanced_labels(count, subject.model.num_classes)
        real = functools.partial(images.real, subject.split, count)
        shares = {
            "samples": self._share(images.samples(variables, labels)),
            "real": self._share(real()),
            "recons": self._share(images.reconstructions(variables, real())),
        }
        metrics = {f"recognised_{name}": share for name, share in shares.items()}
        low, high = wilson(shares["samples"], count)
        return Report(
            {**metrics, "recognised_samples_low": low, "recognised_samples_high": high}
        )

    def _share(self, batches: Iterable[dict]) -> float:
        """Of the images but for padding, those whose label is the classifier's."""
        sums = np.zeros(2)
        for batch in batches:
            sums += jax.device_get(self._count(self._classifier, batch))
        return float(sums[0] / sums[1])

    @functools.cached_property
    def _count(self) -> Callable:
        """(classifier, batch) -> [recognised, all], compiled."""

        def count(variables, batch):
            logits = self._model.apply(variables, batch["image"])
            right = jnp.argmax(logits, axis=-1) == batch["label"]
            return jnp.stack([jnp.sum(right * batch["mask"]), jnp.sum(batch["mask"])])

        return self.subject.compile(count)

    @functools.cached_property
    def _classifier(self) -> dict:
        data, mesh = self.subject.data, self.subject.mesh
        batches = pipeline.train_batches(
            data,
            seed=self.seed,
            batch_size=self.train_batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        with contextlib.closing(batches):
            return classifier.train(
                self._model,
                (sharding.global_batch(batch, mesh) for batch in batches),
                num_steps=self.num_steps,
                learning_rate=self.learning_rate,
                seed=self.seed,
            )

    @property
    def _model(self) -> Classifier:
        return Classifier(self.subject.model.num_classes)

    @functools.cached_property
    def _images(self) -> ImageBatches:
        return ImageBatches(self.subject, self.batch_size, self.seed)


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share of `count` independent draws (Wilson 1927)."""
    middle = share + z**2 / (2 * count)
    width = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return tuple(float((middle + s * width) / (1 + z**2 / count)) for s in (-1, 1))
