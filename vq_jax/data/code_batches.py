"""Batches of codes on disk: shuffled, resumable, sharded by process.

They are those of `pipeline`, of codes in the place of images.
"""

import dataclasses
from collections.abc import Iterator

import grain
import numpy as np
from ml_collections import ConfigDict

from vq_jax.data import batches
from vq_jax.data.codes import CodeSource


def train_batches(
    source: CodeSource,
    data_config: ConfigDict,
    *,
    seed: int,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
) -> grain.DatasetIterator:
    """Endless batches {"codes": int32 [b, *tokens], "label": int32 [b]} of a process.

    As `pipeline.train_batches`, whose order they have where no image is broken: every
    epoch has each image once, in one of its views, which is drawn anew in every epoch.

    Args:
        source: codes of images of one size.
        data_config: `config.data`; how many threads and processes read.
        seed: in [0, 2**32); decides order and views.
        batch_size: over all processes; b is its share.
        process_index: in [0, process_count).
        process_count: processes that share the data.

    Raises:
        InputError: a batch does not divide among the processes; while iterating, codes
            out of range.
    """
    return batches.shuffled(
        range(source.num_images),
        _DrawView(source),
        data_config,
        seed=seed,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
        fingerprint=source.fingerprint,
        name=source.name,
    )


def eval_batches(
    source: CodeSource,
    data_config: ConfigDict,
    *,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
    limit: int | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """The first view of every image once, in order, with "mask": float32 [b].

    As `pipeline.eval_batches`: padding has mask 0, and the rows of all processes, one
    after the other, are the batch that a single process would have.

    Args:
        source: codes of images of one size.
        data_config: `config.data`; how many threads read.
        batch_size: over all processes; b is its share.
        process_index: in [0, process_count).
        process_count: processes that share the data.
        limit: only the first `limit` images; None is all of them.

    Raises:
        InputError: a batch does not divide among the processes, or a limit below 1;
            while iterating, codes out of range.
    """
    (shape,) = source.token_shapes
    return batches.in_order(
        source.num_images,
        lambda image: _element(source, image * source.num_views),
        {"codes": np.zeros(shape, np.int32), "label": np.int32(-1)},
        data_config,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
        limit=limit,
    )


@dataclasses.dataclass(frozen=True)
class _DrawView:
    """Codes of an image in one of its views; a class, as workers are sent it."""

    source: CodeSource

    def __call__(self, image: int, rng: np.random.Generator) -> dict:
        num_views = self.source.num_views
        return _element(self.source, image * num_views + int(rng.integers(num_views)))


def _element(source: CodeSource, row: int) -> dict:
    element = source[row]
    return {"codes": element["codes"], "label": np.int32(element["label"])}
