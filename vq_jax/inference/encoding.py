"""From records to their codes on disk."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vq_jax.data import pipeline
from vq_jax.data.code_shards import EncodedImage
from vq_jax.data.code_writer import CodeWriter
from vq_jax.data.records import Records
from vq_jax.errors import InputError
from vq_jax.inference.fit import FittedImage
from vq_jax.inference.load import SavedTokenizer
from vq_jax.inference.tokenizer import Tokenizer
from vq_jax.inference.views import Views


def code_settings(
    tokenizer: SavedTokenizer, views: Views, records: Records, shard_size: int
) -> dict:
    """What the codes depend on, for their card."""
    source, data = records.source, views.fit.data
    # Where none is excluded, the card is what earlier versions wrote and go on from.
    excluded = [*data.exclude_labels]
    return {
        **({"exclude_labels": excluded} if excluded else {}),
        "codebook_size": tokenizer.model.quantizer.codebook_size,
        "classes": [*source.classes],
        "source": data.source,
        "split": source.split,
        "records": source.fingerprint,
        "num_records": len(records),
        "fit": views.fit.kind,
        "preprocessing": str(views),
        "num_views": len(views),
        "image_size": data.image_size,
        "white_point": data.white_point,
        "stride": views.fit.stride,
        "shard_size": shard_size,
        "workdir": str(tokenizer.workdir),
        "step": tokenizer.step,
        "digest": tokenizer.digest,
    }


def write_codes(
    writer: CodeWriter,
    tokenizer: Tokenizer,
    records: Records,
    views: Views,
    *,
    root: str = "",
    say: Callable[[str], None],
) -> None:
    """Writes the shards that are missing, and the card.

    Images are read in threads, and a shard is written while the next one is encoded.

    Args:
        writer: knows which shards are missing.
        tokenizer: the tokenizer.
        records: of which codes are written.
        views: what is encoded of each.
        root: what names begin with that is left out of them.
        say: takes a message when a shard is written.

    Raises:
        InputError: an image is broken or of a size that the tokenizer does not take, or
            a shard cannot be written; those before it are there.
    """

    def write(number: int, images: list[EncodedImage], skipped: list[str]) -> None:
        writer.write(number, images, skipped)
        say(f"shard {number + 1} of {writer.num_shards}")

    with ThreadPoolExecutor(1) as background:
        written = None
        for number in writer.missing():
            indices = writer.records(number)
            made = pipeline.each_record(views.fit.data, records, indices, views)
            images = [*encode_views(tokenizer, made, root)]
            # Threads find broken images in any order.
            skipped = [records.skipped[i] for i in indices if i in records.skipped]
            if written:
                written.result()
            written = background.submit(write, number, images, skipped)
        if written:
            written.result()
    writer.finish()


def encode_views(
    tokenizer: Tokenizer, records: Iterable[list[FittedImage]], root: str
) -> Iterator[EncodedImage]:
    """The codes of every view of every record; neighbours of one size go together.

    Args:
        tokenizer: the tokenizer.
        records: the views of each record, as `Views` makes them.
        root: what names begin with that is left out of them.

    Raises:
        InputError: the tokenizer takes images of one size only, and these have another.
    """
    given = collections.deque()

    def batches() -> Iterator[np.ndarray]:
        for batch in _of_one_size(tokenizer, records):
            given.append(batch)
            yield np.stack([fitted.image for _, fitted in batch])

    for codes in tokenizer.encode_each(batches()):
        for row, (view, fitted) in zip(codes, given.popleft(), strict=True):
            name = fitted.name.removeprefix(root)
            yield EncodedImage(row, name, fitted.label, fitted.size, view)


def _of_one_size(
    tokenizer: Tokenizer, records: Iterable[list[FittedImage]]
) -> Iterator[list[tuple[int, FittedImage]]]:
    """Views with their numbers, as many as the tokenizer computes at once."""
    numbered = itertools.chain.from_iterable(map(enumerate, records))
    for shape, group in itertools.groupby(numbered, lambda pair: pair[1].image.shape):
        most = tokenizer.most_at_once(*shape[:2])
        while batch := list(itertools.islice(group, most)):
            _check_size(tokenizer, batch[0][1])
            yield batch


def _check_size(tokenizer: Tokenizer, fitted: FittedImage) -> None:
    """Raises InputError where the codes are those of one size of images only."""
    try:
        tokenizer.model.tokens_shape(*fitted.image.shape[:2])
    except InputError as error:
        raise InputError(
            f"{fitted.name}: {error} --fit=crop makes all images as large as in "
            "training."
        ) from error
