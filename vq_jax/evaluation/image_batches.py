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
from vq_jax.inference.tokenizer import reconstruct
from vq_jax.models.priors.base import TOKENIZER


class ImageBatches:
    """What evaluations of samples look at: uint8 images on the mesh.

    Batches are {"image", "label", "mask"}, global arrays, "mask" 0 where a row is
    padding. Those of samples and reconstructions are whole on every device.

    Attributes:
        records: the records of a split, by its name; opened once.
    """

    def __init__(self, subject: PriorSubject, batch_size: int, seed: int):
        self.subject, self.batch_size, self.seed = subject, batch_size, seed
        # To list a large folder takes long.
        self.records = functools.cache(
            functools.partial(pipeline.open_records, subject.data)
        )

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
        records = self.records(split)
        if count and count < len(records):
            rng = np.random.default_rng(self.seed)
            chosen = np.sort(rng.choice(len(records), count, replace=False))
            records = ChosenRecords(records, chosen)
        batches = pipeline.eval_batches(
            self.subject.data,
            split,
            batch_size=self.batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            records=records,
        )
        return (sharding.global_batch(batch, self.subject.mesh) for batch in batches)

    def size(self, split: str) -> int:
        """Number of records of a split."""
        return len(self.records(split))

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
            images = subject.draw(variables, self.seed, batch["row"], batch["label"])
            return {**batch, "image": images}

        return subject.compile(draw)

    @functools.cached_property
    def _reconstruct(self) -> Callable:
        model = self.subject.tokenizer.model

        def through(variables, batch):
            images = reconstruct(model, variables[TOKENIZER], batch["image"])
            return {**batch, "image": images}

        return self.subject.compile(through)
