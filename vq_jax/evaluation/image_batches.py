"""Images to judge, batch by batch: drawn from a prior, real ones, reconstructions."""

import functools
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jaxtyping import Int

from vq_jax import sharding
from vq_jax.data import pipeline
from vq_jax.data.records import ChosenRecords
from vq_jax.evaluation.prior import PriorSubject
from vq_jax.inference.tokenizer import decode, reconstruct
from vq_jax.models.priors.base import NO_CLASS, TOKENIZER


def balanced_labels(count: int, num_classes: int) -> Int[np.ndarray, "n"]:
    """The classes in turn, so that each has as many images; NO_CLASS without classes.

    int32, and each class as often as any other where their number divides `count`.
    """
    if not num_classes:
        return np.full(count, NO_CLASS, np.int32)
    return np.arange(count, dtype=np.int32) % num_classes


class ImageBatches:
    """What evaluations of samples look at: uint8 images on the mesh.

    Batches are {"image", "label", "mask"}, global arrays, "mask" 0 where a row is
    padding. Those of samples and reconstructions are whole on every device.
    """

    def __init__(self, subject: PriorSubject, batch_size: int, seed: int):
        self.subject, self.batch_size, self.seed = subject, batch_size, seed

    def samples(self, variables, labels: Int[np.ndarray, "n"]) -> Iterator[dict]:
        """An image drawn for each label. That of a row depends on seed and row alone.

        Args:
            variables: all that the prior is applied with, and its tokenizer.
        """
        return (self._draw(variables, batch) for batch in self._rows(labels))

    def reconstructions(self, variables, batches: Iterator[dict]) -> Iterator[dict]:
        """The images of the batches through the tokenizer."""
        return (self._reconstruct(variables, batch) for batch in batches)

    def real(self, split: str, count: int = 0) -> Iterator[dict]:
        """So many images of a split, chosen at random by the seed; 0 is all of them."""
        data = self.subject.data
        records = pipeline.open_records(data, split)
        if count and count < len(records):
            rng = np.random.default_rng(self.seed)
            chosen = np.sort(rng.choice(len(records), count, replace=False))
            records = ChosenRecords(records, chosen)
        batches = pipeline.eval_batches(
            data,
            split,
            batch_size=self.batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            records=records,
        )
        return (sharding.global_batch(batch, self.subject.mesh) for batch in batches)

    def size(self, split: str) -> int:
        """Number of records of a split."""
        return len(pipeline.open_records(self.subject.data, split))

    def _rows(self, labels) -> Iterator[dict]:
        """This process's part of each batch, as global arrays."""
        size = self.batch_size
        padded = np.pad(labels, (0, -len(labels) % size))
        rows = np.arange(len(padded), dtype=np.int32)
        mask = (rows < len(labels)).astype(np.float32)
        part = size // jax.process_count()
        first = jax.process_index() * part
        for start in range(first, len(padded), size):
            local = slice(start, start + part)
            batch = {"row": rows[local], "label": padded[local], "mask": mask[local]}
            yield sharding.global_batch(batch, self.subject.mesh)

    @functools.cached_property
    def _draw(self) -> Callable:
        subject = self.subject

        def draw(variables, batch):
            fold = functools.partial(jax.random.fold_in, jax.random.key(self.seed))
            keys = jax.vmap(fold)(batch["row"])
            codes = subject.model.apply(
                variables, keys, batch["label"], subject.sampling, None, method="sample"
            )
            images = decode(subject.tokenizer.model, variables[TOKENIZER], codes)
            return {**batch, "image": images}

        return subject.compile(draw)

    @functools.cached_property
    def _reconstruct(self) -> Callable:
        model = self.subject.tokenizer.model

        def through(variables, batch):
            images = reconstruct(model, variables[TOKENIZER], batch["image"])
            return {**batch, "image": images}

        return self.subject.compile(through)
