"""A shard of codes on disk: a folder with the codes of consecutive images.

Of its files row i is the same view of the same image:

    codes.npy     [n, *tokens]; or all tokens in a row, where rows differ in shape
    shapes.npy    [n, axes], the shape of each row's tokens, only in the latter case
    labels.npy    [n]
    images.csv    name, label, class, height and width of the image that was encoded, to
                  which decoded ones, multiples of the stride, are to be cropped, and
                  the number of the view
    skipped.json  messages about broken images that are left out, only if there are some

A folder gets its name when all of its files are written.
"""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence

import numpy as np
from etils import epath

from vq_jax.errors import InputError

CODES, SHAPES, LABELS = "codes.npy", "shapes.npy", "labels.npy"
IMAGES, SKIPPED = "images.csv", "skipped.json"
COLUMNS = ("name", "label", "class", "height", "width", "view")


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedImage:
    """What is kept of an image.

    Attributes:
        codes: int [*tokens].
        name: of its file, below the folder of the data set, or of its record.
        label: number of its class; -1 without one.
        size: height and width in pixels of what was encoded, before any padding.
        view: number of the crop or mirror image.
    """

    codes: np.ndarray
    name: str
    label: int
    size: tuple[int, int]
    view: int = 0


def write_shard(
    folder: epath.Path,
    images: Sequence[EncodedImage],
    *,
    codebook_size: int,
    classes: Sequence[str] = (),
    skipped: Sequence[str] = (),
) -> None:
    """Writes a shard, in the place of one that is there.

    A process that is killed leaves no shard; what it has written goes with the next
    call. Codes are stored as uint16 if `codebook_size` allows, else as int32.

    Raises:
        OSError: it cannot be written.
    """
    dtype = np.uint16 if codebook_size <= 2**16 else np.int32
    arrays = _code_arrays([image.codes for image in images], dtype)
    arrays[LABELS] = np.asarray([image.label for image in images], np.int32)
    draft = folder.with_name(f".{folder.name}.draft")
    remove(draft)
    draft.mkdir(parents=True)
    try:
        for name, array in arrays.items():
            with (draft / name).open("wb") as file:
                np.save(file, array, allow_pickle=False)
        # Names of files may be bytes that are no UTF-8.
        text = _csv(images, classes).encode(errors="surrogateescape")
        (draft / IMAGES).write_bytes(text)
        if skipped:
            (draft / SKIPPED).write_text(json.dumps([*skipped], indent=2) + "\n")
    except OSError:
        remove(draft)
        raise
    remove(folder)
    draft.rename(folder)


def remove(folder: epath.Path) -> None:
    """Removes a folder with all it holds, where there is one."""
    if folder.exists():
        folder.rmtree()


class Shard:
    """Reads a shard. Its labels are in memory, its codes are mapped into it.

    Attributes:
        labels: int [n].
        shapes: of the tokens of each row, int [n, axes]; None where all are `shape`.
        shape: of the tokens of every row; None where they differ.

    Raises:
        InputError: files are missing or damaged, of other types, or do not belong
            together.
    """

    def __init__(self, folder: epath.Path):
        self.folder = folder
        codes = self.open()
        self.labels = _read_integers(folder / LABELS)
        self.shapes, self.shape = None, codes.shape[1:]
        if (folder / SHAPES).exists():
            self.shapes, self.shape = _read_integers(folder / SHAPES), None
            if self.shapes.ndim != 2 or (self.shapes < 0).any():
                raise damaged(folder / SHAPES, "it has no shape a row")
            self._ends = np.cumsum(np.prod(self.shapes, axis=1, dtype=np.int64))
        self._check_rows(codes)

    def __len__(self) -> int:
        return len(self.labels)

    def open(self) -> np.ndarray:
        """The codes, mapped into memory, as `row` takes them."""
        return _read_integers(self.folder / CODES, mmap_mode="r")

    def row(self, codes: np.ndarray, index: int) -> np.ndarray:
        """The tokens of a row, of `codes` that `open` gave."""
        if self.shapes is None:
            return codes[index]
        shape, end = self.shapes[index], self._ends[index]
        return codes[end - np.prod(shape) : end].reshape(shape)

    def token_shapes(self) -> set[tuple[int, ...]]:
        """The shapes that tokens of a row have."""
        if self.shapes is None:
            return {self.shape} if len(self) else set()
        return {tuple(shape) for shape in np.unique(self.shapes, axis=0).tolist()}

    def images(self) -> list[dict[str, str | int]]:
        """The rows of `images.csv`.

        Raises:
            InputError: the file is missing or damaged.
        """
        path = self.folder / IMAGES
        try:
            text = path.read_bytes().decode(errors="surrogateescape")
            rows = [_image_row(row) for row in csv.DictReader(io.StringIO(text, ""))]
        except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from error
        if len(rows) != len(self):
            raise damaged(path, f"{len(rows)} rows for {len(self)} images")
        return rows

    def skipped(self) -> list[str]:
        """Messages about images that are left out.

        Raises:
            InputError: the file is damaged.
        """
        path = self.folder / SKIPPED
        try:
            return json.loads(path.read_bytes()) if path.exists() else []
        except ValueError as error:
            raise damaged(path, error) from error

    def _check_rows(self, codes: np.ndarray) -> None:
        """Raises InputError where the files are not of as many images."""
        count = len(codes)
        if self.shapes is not None:
            count = len(self.shapes)
            wanted = int(self._ends[-1]) if count else 0
            if codes.shape != (wanted,):
                raise damaged(
                    self.folder / CODES,
                    f"it has the shape {codes.shape}, and {SHAPES} stands for {wanted} "
                    "tokens",
                )
        if self.labels.shape != (count,):
            raise damaged(
                self.folder / LABELS,
                f"it has the shape {self.labels.shape} for {count} images",
            )


def damaged(path: epath.Path, reason: Exception | str) -> InputError:
    """The error about a file of codes that cannot be used."""
    reason = getattr(reason, "strerror", None) or reason
    return InputError(
        f"{path} is damaged ({reason}); write the codes again: the same vq-jax "
        "tokenize mends shards that are missing or cut short."
    )


def _code_arrays(codes: list[np.ndarray], dtype) -> dict[str, np.ndarray]:
    shapes = [array.shape for array in codes]
    if not codes:
        return {CODES: np.zeros(0, dtype)}
    if len(set(shapes)) == 1:
        return {CODES: np.stack(codes, dtype=dtype, casting="unsafe")}
    flat = [array.reshape(-1) for array in codes]
    flat = np.concatenate(flat, dtype=dtype, casting="unsafe")
    return {CODES: flat, SHAPES: np.asarray(shapes, np.int32)}


def _csv(images: Sequence[EncodedImage], classes: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image in images:
        named = classes[image.label] if 0 <= image.label < len(classes) else ""
        writer.writerow((image.name, image.label, named, *image.size, image.view))
    return text.getvalue()


def _image_row(row: dict[str, str]) -> dict[str, str | int]:
    # Earlier versions had one view of an image.
    row = {"view": "0", **row}
    numbers = {name: int(row[name]) for name in ("label", "height", "width", "view")}
    return {"name": row["name"], "class": row["class"], **numbers}


def _read_integers(path: epath.Path, *, mmap_mode: str | None = None) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise damaged(path, error) from error
    if not np.issubdtype(array.dtype, np.integer):
        raise damaged(path, f"it has {array.dtype} in place of integers")
    if not array.ndim:
        raise damaged(path, "it is a single number")
    return array
