"""From `config.data` to batches: shuffled, resumable, sharded by process.

Processes are numbered by the caller: this layer never asks the accelerator.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Literal, TypedDict, TypeVar

import grain
import numpy as np
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.config.fields import check_section
from vq_jax.data import ahead, batches, transforms
from vq_jax.data.records import ON_ERROR, ChosenRecords, Records
from vq_jax.data.sources import Record, open_source
from vq_jax.data.sources.exclusion import without_classes
from vq_jax.data.transforms import eval_transform, train_transform
from vq_jax.errors import InputError

T = TypeVar("T")


class DataFields(TypedDict):
    """The section `config.data`.

    Attributes:
        source: one of `sources.FORMS`.
        train_split, eval_split: splits of the source.
        data_dir: root of TFDS data sets; "" is the default of TFDS.
        image_size, channels, resize, kernel, crop, flip, color_prob: see
            `transforms.TrainTransform`.
        exclude_labels: numbers of classes whose images are in no split.
        white_point: of deep grey images, see `decode.decode_image`.
        on_error: see `records.Records`.
        num_threads: that decode images, in a process.
        prefetch: images that are decoded ahead.
        num_workers: processes that decode; 0 decodes in threads.
    """

    source: str
    train_split: str
    eval_split: str
    data_dir: str
    image_size: Annotated[int, ranges.Range(1, 2**14)]
    channels: Literal[transforms.CHANNELS]
    resize: Literal[transforms.RESIZES]
    kernel: Literal[tuple(transforms.KERNELS)]
    crop: Literal[transforms.CROPS]
    flip: bool
    color_prob: ranges.Fraction
    exclude_labels: tuple[ranges.Natural, ...]
    white_point: Annotated[float, ranges.Range(0.0, 2.0**32)]
    on_error: Literal[ON_ERROR]
    num_threads: Annotated[int, ranges.Range(0, 2**10)]
    prefetch: Annotated[int, ranges.Range(0, 2**20)]
    num_workers: Annotated[int, ranges.Range(0, 2**10)]


def open_records(
    data_config: ConfigDict, split: str, *, random_crops: bool = False
) -> Records:
    """The records of a split; `.skipped` names broken images as they are met.

    `random_crops` is for training: a source of few large images then gives whole ones.
    """
    check_section(DataFields, data_config, "config.data")
    source = open_source(
        data_config.source,
        split,
        image_size=data_config.image_size,
        channels=data_config.channels,
        white_point=data_config.white_point,
        data_dir=data_config.data_dir,
        skip_unreadable=data_config.on_error == "skip",
        random_crops=random_crops,
    )
    source = without_classes(source, data_config.exclude_labels)
    return Records(source, data_config.on_error)


def describe(data_config: ConfigDict) -> str:
    """One line a split, for the header of a run."""
    train = train_records(data_config)
    held_out = open_records(data_config, data_config.eval_split)
    return "\n".join(records.source.description for records in (train, held_out))


def train_batches(
    data_config: ConfigDict,
    *,
    seed: int,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
    records: Records | None = None,
    transform: Callable[[Record, np.random.Generator], dict] | None = None,
) -> grain.DatasetIterator:
    """Endless batches {"image": uint8 [b, S, S, C], "label": int32 [b]} of a process.

    Every epoch has its own order and each record once, over all processes; a batch may
    reach into the next epoch. With the same seed the batches of all processes
    together have the same images and crops, whatever `process_count` is. The number of
    worker processes changes the order, the number of threads doesn't. `get_state()` is
    a few integers and the records' fingerprint, and `set_state()` goes on with exactly
    the next batch; it warns where the records are others.

    Args:
        data_config: `config.data`.
        seed: In [0, 2**32); decides order, crops, mirroring and colours.
        batch_size: Over all processes; b is its share.
        process_index: In [0, process_count).
        process_count: Processes that share the data.
        records: `open_records(...)` of the split, to watch its `.skipped`.
        transform: from a record to an element; by default `train_transform(...)`.

    Raises:
        InputError: Fields that do not fit; while iterating, a broken image.
    """
    if records is None:
        records = train_records(data_config)
    source = records.source
    return batches.shuffled(
        records,
        transform or train_transform(data_config),
        data_config,
        seed=seed,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
        fingerprint=source.fingerprint,
        name=f"{source.name}/{source.split}",
    )


def eval_batches(
    data_config: ConfigDict,
    split: str,
    *,
    batch_size: int,
    process_index: int = 0,
    process_count: int = 1,
    limit: int | None = None,
    records: Records | ChosenRecords | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Every record once, in order, with "mask": float32 [b], 1 for real images.

    Padding and skipped images have mask 0, so that every process yields
    ceil(records / batch_size) batches whatever is broken. The rows of all processes,
    one after the other, are the batch that a single process would have.

    Args:
        data_config: `config.data`; crop, mirroring and colours are not used.
        split: Of the source.
        batch_size: Over all processes; b is its share.
        process_index: In [0, process_count).
        process_count: Processes that share the data.
        limit: Only the first `limit` records; None is all of them.
        records: `open_records(...)` of the split, to watch its `.skipped`, or some of
            them.

    Raises:
        InputError: Fields that do not fit; while iterating, a broken image.
    """
    if records is None:
        records = open_records(data_config, split)
    transform = eval_transform(data_config)

    def element(index: int) -> dict | None:
        record = records[index]
        return None if record is None else transform(record)

    return batches.in_order(
        len(records),
        element,
        padding(data_config),
        data_config,
        batch_size=batch_size,
        process_index=process_index,
        process_count=process_count,
        limit=limit,
    )


def each_record(
    data_config: ConfigDict,
    records: Records,
    indices: Sequence[int],
    transform: Callable[[int, Record], T],
) -> Iterator[T]:
    """`transform` of the records of these indices that are not broken, in order.

    Large images are read ahead one a thread, small ones several (`ahead.in_order`).

    Raises:
        InputError: While iterating, a broken image.
    """

    def element(index: int) -> T | None:
        record = records[index]
        return None if record is None else transform(index, record)

    made = ahead.in_order(element, indices, num_threads=data_config.num_threads)
    return (found for found in made if found is not None)


def first_images(data_config: ConfigDict, split: str, count: int) -> np.ndarray:
    """The first `count` images of a split, or all of fewer: uint8 [n, S, S, C].

    The ones after them take the place of broken images that are skipped.
    """
    records = open_records(data_config, split)
    found = _images(data_config, records, range(len(records)))
    return np.stack([*itertools.islice(found, count)])


def spread_images(data_config: ConfigDict, split: str, count: int) -> np.ndarray:
    """`count` images evenly spread over a split, or all of fewer: uint8 [n, S, S, C].

    Broken images that are skipped leave fewer.

    Raises:
        InputError: An image is broken, or all of them are and are skipped.
    """
    records = open_records(data_config, split)
    indices = np.linspace(0, len(records) - 1, min(count, len(records)))
    found = [*_images(data_config, records, map(int, indices))]
    if not found:
        raise InputError(
            f"{records.source.name}: all {count} images looked at are broken."
        )
    return np.stack(found)


def _images(
    data_config: ConfigDict, records: Records, indices: Iterable[int]
) -> Iterator[np.ndarray]:
    """Those of the records that are not broken, as in evaluation."""
    transform = eval_transform(data_config)
    for index in indices:
        record = records[index]
        if record is not None:
            yield transform(record)["image"]


def train_records(data_config: ConfigDict) -> Records:
    """The records of the training split, whole where their crops are random."""
    # The centre of a whole photograph would be all that training ever sees of it.
    random_crops = data_config.crop != "center"
    return open_records(data_config, data_config.train_split, random_crops=random_crops)


def padding(data_config: ConfigDict) -> dict:
    """The element in the place of an image that is not there."""
    size = data_config.image_size
    return {
        "image": np.zeros((size, size, data_config.channels), np.uint8),
        "label": np.int32(-1),
    }
