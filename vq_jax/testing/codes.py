"""Small folders of codes."""

import pathlib
from collections.abc import Iterator

import numpy as np

from vq_jax.data.code_shards import EncodedImage
from vq_jax.data.code_writer import CodeWriter


def writer(path: pathlib.Path, count: int, *, process=(0, 1), **settings) -> CodeWriter:
    """Of codes below 16 of `count` images, two in a shard, with these settings."""
    defaults = {
        "codebook_size": 16,
        "classes": [],
        "num_views": 1,
        "num_records": count,
        "shard_size": 2,
    }
    index, processes = process
    return CodeWriter(
        path,
        {**defaults, **settings},
        process_index=index,
        process_count=processes,
    )


def write(path: pathlib.Path, images: list[EncodedImage], **settings) -> None:
    """Writes images, all views of the first one first."""
    num_views = settings.get("num_views", 1)
    made = writer(path, len(images) // num_views, **settings)
    for number in made.missing():
        rows = made.records(number)
        made.write(number, images[rows.start * num_views : rows.stop * num_views])
    made.finish()


def numbered(
    count: int, *, num_views: int = 1, shape: tuple[int, ...] = (2, 3)
) -> list[EncodedImage]:
    """Images whose codes are all their number, but the first, which is the view."""

    def views(number: int) -> Iterator[EncodedImage]:
        for view in range(num_views):
            codes = np.full(shape, number, np.int32)
            codes.flat[0] = view
            yield EncodedImage(codes, f"{number}.png", number % 3, (8, 12), view)

    return [image for number in range(count) for image in views(number)]


def files(path: pathlib.Path) -> dict[str, bytes]:
    """The content of every file below a folder, by its path from there."""
    found = (file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in found}
