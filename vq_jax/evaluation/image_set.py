"""A set of images on disk: a PNG each, and all of them as evaluators read them."""

import contextlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from etils import epath

from vq_jax.evaluation import pictures
from vq_jax.workdirs import files

Batches = Iterable[tuple[np.ndarray, np.ndarray]]
"""uint8 images [b, h, w, c], and int32 labels [b], -1 for none."""

IMAGES, NPZ, GRID, CARD = "images", "samples.npz", "grid.png", "samples.json"
GRID_ROWS = 10


def write(
    folder: epath.Path,
    batches: Batches,
    *,
    image_shape: tuple[int, int, int],
    count: int,
    columns: int,
    card: Mapping,
) -> None:
    """Writes a set of images, whole or not at all.

    IMAGES/NUMBER.png are in order; NPZ has "arr_0", uint8 [n, h, w, 3], and "arr_1",
    int64 [n] labels where there are any, as the evaluator of guided-diffusion (ADM)
    takes it: grey images as three equal channels. GRID shows the first ones, and CARD
    is JSON. Only a batch is in memory.

    Args:
        folder: as `files.check_new_folder` returns it; it appears at the end.
        batches: images and labels, each batch when it is asked for.
        image_shape: of one image.
        count: number of images.
        columns: of the grid.
        card: what to say of the set.
    """
    with files.whole_folder(folder) as draft:
        shown = _write_arrays(
            draft, batches, image_shape[:2], count, columns * GRID_ROWS
        )
        pictures.write_png(draft / GRID, pictures.grid(shown, columns))
        files.write_json(draft / CARD, dict(card))


def _write_arrays(
    draft: epath.Path,
    batches: Batches,
    size: tuple[int, int],
    count: int,
    num_shown: int,
) -> np.ndarray:
    """Writes PNGs and the archive; returns the first `num_shown` images."""
    labels, shown, digits = [], [], len(str(count - 1))
    with zipfile.ZipFile(draft / NPZ, "w") as archive:
        with _array(archive, "arr_0", (count, *size, 3)) as file:
            for images, part in batches:
                for number, image in enumerate(images, sum(map(len, labels))):
                    name = f"{number:0{digits}d}.png"
                    pictures.write_png(draft / IMAGES / name, image)
                file.write(np.ascontiguousarray(pictures.to_rgb(images)).tobytes())
                shown.extend(images[: num_shown - len(shown)])
                labels.append(part)
        labels = np.concatenate(labels).astype(np.int64)
        if (labels >= 0).all():
            with archive.open("arr_1.npy", "w") as file:
                np.lib.format.write_array(file, labels, allow_pickle=False)
    return np.stack(shown)


@contextlib.contextmanager
def _array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...]) -> Iterator:
    """A file in the archive for the bytes of a uint8 array, which may be large."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield file
