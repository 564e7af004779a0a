"""The code indices of a data set on disk, written once and read by random access.

A folder has these files, of which row i is image i:

    codes.npy   [n, *tokens]; or all tokens in a row, where images differ in size
    shapes.npy  [n, axes], the shape of each image's tokens, only in the latter case
    labels.npy  [n]
    images.csv  name, label, class, height and width of the image that was encoded,
                to which decoded ones, multiples of the stride, are to be cropped
    codes.json  the card: size of the codebook, names of the classes, origin

The tokens of an image are [hq, wq] with most quantizers; product heads and residual
levels add axes. The card is put in place last, so a folder without it is unfinished.
"""

import csv
import dataclasses
import functools
import io
import json
from collections.abc import Iterable, Sequence

import numpy as np
from etils import epath
from jaxtyping import Int

from vq_jax.errors import InputError

CODES, SHAPES, LABELS, IMAGES, CARD = (
    *("codes.npy", "shapes.npy", "labels.npy"),
    *("images.csv", "codes.json"),
)
COLUMNS = ("name", "label", "class", "height", "width")
DRAFT = ".draft"


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedImage:
    """What is kept of an image.

    Attributes:
        codes: int [*tokens].
        name: of its file, below the folder of the data set, or of its record.
        label: number of its class; -1 without one.
        size: height and width in pixels of what was encoded, before any padding.
    """

    codes: np.ndarray
    name: str
    label: int
    size: tuple[int, int]


def write_codes(
    path: epath.PathLike,
    images: Iterable[EncodedImage],
    *,
    codebook_size: int,
    classes: Sequence[str] = (),
    origin: dict,
) -> None:
    """Writes the codes of `images`.

    Codes are stored as uint16 if `codebook_size` allows, else as int32. What is in the
    folder stays until all of the new files are complete.

    Args:
        classes: names of the labels 0, 1, …, where they have some.
        origin: what `codes.json` says about where they come from.

    Raises:
        InputError: there are no images, or the files cannot be written.
    """
    path = epath.Path(path)
    images = list(images)
    if not images:
        raise InputError(f"no images to tokenize into {path}.")
    card = {"codebook_size": codebook_size, "classes": [*classes], **origin}
    dtype = np.uint16 if codebook_size <= 2**16 else np.int32
    arrays = _code_arrays([image.codes for image in images], dtype)
    arrays[LABELS] = np.asarray([image.label for image in images], np.int32)
    texts = {IMAGES: _csv(images, classes), CARD: json.dumps(card, indent=2) + "\n"}
    try:
        _replace(path, arrays, texts)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"codes cannot be written to {path} ({reason}).") from error


class CodeSource:
    """Random access to the codes that `write_codes` wrote.

    `source[i]` is {"codes": int32 [*tokens], "label": int}; Grain can read it. It can
    be pickled: the copy opens the files again.

    Attributes:
        codebook_size: number of codes of the tokenizer that made them.
        card: the content of `codes.json`: classes and origin of the codes.

    Raises:
        InputError: there are no codes in the folder, or its files are damaged, are of
            other types, or do not belong together.
    """

    def __init__(self, path: epath.PathLike):
        self._path = path = epath.Path(path).expanduser()
        if not (path / CARD).exists():
            raise InputError(
                f"{path} holds no codes ({CARD} is missing); write them with: vq-jax "
                f"tokenize --workdir=DIR --out={path}"
            )
        self.card = _read_card(path / CARD)
        self.codebook_size = self.card["codebook_size"]
        self._codes = _read_integers(path / CODES, mmap_mode="r")
        self._labels = _read_integers(path / LABELS)
        self._shapes = None
        if (path / SHAPES).exists():
            self._shapes = _read_integers(path / SHAPES)
            if self._shapes.ndim != 2 or (self._shapes < 0).any():
                raise _damaged(path / SHAPES, "it has no shape a row")
            self._ends = np.cumsum(np.prod(self._shapes, axis=1, dtype=np.int64))
        self._check_rows()

    def __reduce__(self):
        return CodeSource, (self._path,)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> dict:
        index = range(len(self))[index]
        codes = self._checked(self._row(index), f"image {index}")
        return {"codes": codes, "label": int(self._labels[index])}

    def array(self) -> Int[np.ndarray, "n *tokens"]:
        """All codes, int32, as `Tokenizer.decode` takes them.

        Raises:
            InputError: images differ in size, or a code is out of range.
        """
        if self._shapes is not None:
            raise InputError(
                f"{self._path}: images have codes of several shapes, as "
                f"{tuple(self._shapes.min(0))} and {tuple(self._shapes.max(0))}; take "
                "them one by one, as source[i]['codes']."
            )
        return self._checked(self._codes, "the file")

    @functools.cached_property
    def images(self) -> list[dict[str, str | int]]:
        """The rows of `images.csv`: {"name", "label", "class", "height", "width"}.

        Raises:
            InputError: the file is missing or damaged.
        """
        path = self._path / IMAGES
        try:
            text = path.read_bytes().decode(errors="surrogateescape")
            rows = [_image_row(row) for row in csv.DictReader(io.StringIO(text, ""))]
        except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
            raise _damaged(path, error) from error
        if len(rows) != len(self):
            raise _damaged(path, f"{len(rows)} rows for {len(self)} images")
        return rows

    def _row(self, index: int) -> np.ndarray:
        if self._shapes is None:
            return self._codes[index]
        shape, end = self._shapes[index], self._ends[index]
        return self._codes[end - np.prod(shape) : end].reshape(shape)

    def _checked(self, codes: np.ndarray, what: str) -> np.ndarray:
        # Here and not when opening, which would read a file of any size.
        if codes.size and not 0 <= codes.min() <= codes.max() < self.codebook_size:
            raise _damaged(
                self._path / CODES,
                f"codes of {what} reach from {codes.min()} to {codes.max()}, and "
                f"{CARD} has codes 0 to {self.codebook_size - 1}",
            )
        return codes.astype(np.int32)

    def _check_rows(self) -> None:
        """Raises InputError where the files are not of as many images."""
        count = len(self._codes)
        if self._shapes is not None:
            count = len(self._shapes)
            wanted = int(self._ends[-1]) if count else 0
            if self._codes.shape != (wanted,):
                raise _damaged(
                    self._path / CODES,
                    f"it has the shape {self._codes.shape}, and {SHAPES} stands for "
                    f"{wanted} tokens",
                )
        if self._labels.shape != (count,):
            raise _damaged(
                self._path / LABELS,
                f"it has the shape {self._labels.shape} for {count} images",
            )


def _code_arrays(codes: list[np.ndarray], dtype) -> dict[str, np.ndarray]:
    shapes = [array.shape for array in codes]
    if len(set(shapes)) == 1:
        return {CODES: np.stack(codes, dtype=dtype, casting="unsafe")}
    flat = [array.reshape(-1) for array in codes]
    flat = np.concatenate(flat, dtype=dtype, casting="unsafe")
    return {CODES: flat, SHAPES: np.asarray(shapes, np.int32)}


def _csv(images: list[EncodedImage], classes: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image in images:
        named = classes[image.label] if 0 <= image.label < len(classes) else ""
        writer.writerow((image.name, image.label, named, *image.size))
    return text.getvalue()


def _image_row(row: dict[str, str]) -> dict[str, str | int]:
    numbers = {name: int(row[name]) for name in ("label", "height", "width")}
    return {"name": row["name"], "class": row["class"], **numbers}


def _replace(
    folder: epath.Path, arrays: dict[str, np.ndarray], texts: dict[str, str]
) -> None:
    """Puts these files in the place of those of an earlier call, the last one last.

    A full disk or a killed process leaves the old files; in the moment of the exchange
    there is no card, so that old and new ones are never taken for one another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drafts = {name: folder / f"{name}{DRAFT}" for name in (*arrays, *texts)}
    for draft in drafts.values():
        draft.unlink(missing_ok=True)  # a link would be followed
    try:
        for name, array in arrays.items():
            with drafts[name].open("wb") as file:
                np.save(file, array, allow_pickle=False)
        for name, text in texts.items():
            # Names of files may be bytes that are no UTF-8.
            drafts[name].write_bytes(text.encode(errors="surrogateescape"))
    except OSError:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise
    for name in (CARD, SHAPES):
        (folder / name).unlink(missing_ok=True)
    for name, draft in drafts.items():
        draft.replace(folder / name)


def _read_card(path: epath.Path) -> dict:
    try:
        card = json.loads(path.read_bytes())
    except ValueError as error:
        raise _damaged(path, error) from error
    size = card.get("codebook_size") if isinstance(card, dict) else None
    if type(size) is not int or size < 1:
        raise _damaged(path, "it has no codebook_size of 1 or more")
    return card


def _read_integers(path: epath.Path, *, mmap_mode: str | None = None) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise _damaged(path, error) from error
    if not np.issubdtype(array.dtype, np.integer):
        raise _damaged(path, f"it has {array.dtype} in place of integers")
    if not array.ndim:
        raise _damaged(path, "it is a single number")
    return array


def _damaged(path: epath.Path, reason: Exception | str) -> InputError:
    reason = getattr(reason, "strerror", None) or reason
    return InputError(f"{path} is damaged ({reason}); write the codes again.")
