"""Batches of images and their degraded versions: shuffled, resumable, by process.

They are those of `pipeline`, with "degraded": uint8 [b, S, S, C] beside "image", the
clean one. Where a degradation shrinks, this is the small image enlarged again.
"""

import dataclasses
from collections.abc import Iterator

import grain
import numpy as np
from ml_collections import ConfigDict

from vq_jax.data import batches, pipeline
from vq_jax.data.degradations.degradation import (
    Degradation,
    enlarge,
    evaluation_rng,
)
from vq_jax.data.transforms import TrainTransform, eval_transform, train_transform


def train_batches(
    data_config: ConfigDict,
    degradation: Degradation,
    *,
    seed: int,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
) -> grain.DatasetIterator:
    """Endless batches {"image", "degraded", "label"} of a process.

    As `pipeline.train_batches`, with the same order, crops and colours for the same
    seed. What is done to an image follows from the seed and its place in the order, so
    that it is another thing in every epoch, and the same after a resumption.

    Args:
        data_config: `config.data`.
        degradation: what is done to each image.
        seed: in [0, 2**32).
        batch_size: over all processes; b is its share.
        process_index: in [0, process_count).
        process_count: processes that share the data.

    Raises:
        InputError: fields that do not fit; while iterating, a broken image.
    """
    return pipeline.train_batches(
        data_config,
        seed=seed,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
        transform=_TrainPairs(train_transform(data_config), degradation),
    )


def eval_batches(
    data_config: ConfigDict,
    degradation: Degradation,
    split: str,
    *,
    seed: int,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
    limit: int | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Every record once, in order, with "mask"; see `pipeline.eval_batches`.

    What is done to an image follows from `seed` and its number in the split alone.
    """
    records = pipeline.open_records(data_config, split)
    transform = eval_transform(data_config)

    def element(index: int) -> dict | None:
        record = records[index]
        if record is None:
            return None
        return _pair(transform(record), degradation, evaluation_rng(seed, index))

    blank = pipeline.padding(data_config)
    return batches.in_order(
        len(records),
        element,
        {**blank, "degraded": blank["image"]},
        data_config,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
        limit=limit,
    )


@dataclasses.dataclass(frozen=True)
class _TrainPairs:
    """A crop and its degraded version; a class, as workers are sent it."""

    transform: TrainTransform
    degradation: Degradation

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return _pair(self.transform(record, rng), self.degradation, rng)


def _pair(element: dict, degradation: Degradation, rng: np.random.Generator) -> dict:
    degraded = degradation.draw(rng)(element["image"])
    return {**element, "degraded": enlarge(degraded, degradation.scale)}
