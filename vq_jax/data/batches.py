"""From records to batches with Grain: shuffled or in order, resumable, by process."""

from collections.abc import Callable, Iterator
from typing import Any

import grain
import numpy as np
from absl import flags
from ml_collections import ConfigDict

from vq_jax.data import workers
from vq_jax.data.watched import WatchedIterator
from vq_jax.errors import InputError


def shuffled(
    records: grain.sources.RandomAccessDataSource,
    transform: Callable[[Any, np.random.Generator], dict],
    data_config: ConfigDict,
    *,
    seed: int,
    batch_size: int,
    process_index: int,
    process_count: int,
    fingerprint: str,
    name: str,
) -> grain.DatasetIterator:
    """Endless batches of a process; see `pipeline.train_batches`.

    Args:
        records: what has to be visited once an epoch; None is left out.
        transform: of a record, with the generator of its place in the order.
        data_config: `config.data`; how many threads and processes read.
        seed: in [0, 2**32); decides order and generators.
        batch_size: over all processes.
        process_index: in [0, process_count).
        process_count: processes that share the data.
        fingerprint: of the records.
        name: of the records, for a warning where the fingerprint has changed.

    Raises:
        InputError: a batch does not divide among the processes.
    """
    local_batch = _local_batch(batch_size, process_index, process_count)
    in_epochs = grain.MapDataset.source(records).seed(seed).shuffle().repeat()
    # The generator of an element depends on its position, so crops are drawn before
    # the slice: after it, all processes would draw the same ones.
    transformed = in_epochs.random_map(transform)
    dataset = (
        transformed[process_index::process_count]
        .to_iter_dataset(_read_options(data_config))
        .batch(local_batch, drop_remainder=True)
    )
    if data_config.num_workers:
        _mark_flags_parsed()
        options = grain.MultiprocessingOptions(num_workers=data_config.num_workers)
        dataset = dataset.mp_prefetch(options, worker_init_fn=workers.begin)
    return WatchedIterator(iter(dataset), fingerprint, name)


def in_order(
    num_records: int,
    element: Callable[[int], dict | None],
    empty: dict,
    data_config: ConfigDict,
    *,
    batch_size: int,
    process_index: int,
    process_count: int,
    limit: int | None,
) -> Iterator[dict[str, np.ndarray]]:
    """Batches of every record once, with a mask; see `pipeline.eval_batches`.

    Args:
        num_records: number of records.
        element: of the index of a record; None of one that is left out.
        empty: what stands in the place of that and of padding.
        data_config: `config.data`; how many threads read.
        batch_size: over all processes.
        process_index: in [0, process_count).
        process_count: processes that share the data.
        limit: only the first `limit` records; None is all of them.

    Raises:
        InputError: a batch does not divide among the processes, or a limit below 1.
    """
    local_batch = _local_batch(batch_size, process_index, process_count)
    if limit is not None and limit < 1:
        raise InputError(f"limit={limit} leaves no record; give 1 or more, or None.")
    num_records = min(num_records, limit or num_records)
    num_batches = -(-num_records // batch_size)

    def masked(position: int) -> dict:
        batch, row = divmod(position, local_batch)
        index = batch * batch_size + process_index * local_batch + row
        found = element(index) if index < num_records else None
        if found is None:
            return {**empty, "mask": np.float32(0)}
        return {**found, "mask": np.float32(1)}

    dataset = grain.MapDataset.range(num_batches * local_batch).map(masked)
    return iter(dataset.to_iter_dataset(_read_options(data_config)).batch(local_batch))


def _local_batch(batch_size: int, process_index: int, process_count: int) -> int:
    if not 0 <= process_index < process_count:
        raise InputError(
            f"process_index={process_index} is not in [0, {process_count})."
        )
    if batch_size < 1 or batch_size % process_count:
        raise InputError(
            f"batch_size={batch_size} does not divide by {process_count} processes;"
            " choose a positive multiple."
        )
    return batch_size // process_count


def _read_options(data_config: ConfigDict) -> grain.ReadOptions:
    # Grain warns where threads outnumber the places that they could fill.
    num_threads = min(data_config.num_threads, data_config.prefetch)
    return grain.ReadOptions(
        num_threads=num_threads, prefetch_buffer_size=data_config.prefetch
    )


def _mark_flags_parsed() -> None:
    """Grain's workers read absl flags, which notebooks and tests never parse."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
