"""The code indices of a data set on disk, written once and read by random access.

A folder has `codes.npy` [n, *tokens], `labels.npy` [n], and `codes.json`, which is
written last, so that a folder without it is unfinished. The tokens of an image are [hq,
wq] with most quantizers; product heads and residual levels add axes.
"""

import json
from collections.abc import Iterable

import numpy as np
from etils import epath
from jaxtyping import Int

from vq_jax.errors import InputError

CODES, LABELS, CARD = "codes.npy", "labels.npy", "codes.json"


def write_codes(
    path: epath.PathLike,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    codebook_size: int,
    origin: dict,
) -> int:
    """Writes batches of (codes [b, *tokens], labels [b]); returns the number of images.

    Codes are stored as uint16 if `codebook_size` allows, else as int32.

    Args:
        origin: what `codes.json` says about where they come from.

    Raises:
        InputError: the folder cannot be made, or there are no images.
    """
    path = epath.Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / CARD).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written to ({error.strerror}).") from error
    dtype = np.uint16 if codebook_size <= 2**16 else np.int32
    parts = [(codes.astype(dtype), labels) for codes, labels in batches]
    if not parts:
        raise InputError(f"no images to tokenize into {path}.")
    codes, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    for name, array in ((CODES, codes), (LABELS, labels)):
        with (path / name).open("wb") as file:
            np.save(file, array, allow_pickle=False)
    card = {"codebook_size": codebook_size, "shape": list(codes.shape), **origin}
    (path / CARD).write_text(json.dumps(card, indent=2) + "\n")
    return len(codes)


class CodeSource:
    """Random access to the codes that `write_codes` wrote.

    `source[i]` is {"codes": int32 [*tokens], "label": int}; Grain can read it.

    Attributes:
        codebook_size: number of codes of the tokenizer that made them.
        card: the content of `codes.json`: shape and origin of the codes.
    """

    def __init__(self, path: epath.PathLike):
        path = epath.Path(path)
        if not (path / CARD).exists():
            raise InputError(
                f"{path} holds no codes ({CARD} is missing); write them with: vq-jax "
                f"tokenize --workdir=DIR --out={path}"
            )
        self.card = json.loads((path / CARD).read_text())
        self.codebook_size = self.card["codebook_size"]
        self._codes = np.load(path / CODES, mmap_mode="r", allow_pickle=False)
        self._labels = np.load(path / LABELS, allow_pickle=False)

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, index: int) -> dict:
        codes = self._codes[index].astype(np.int32)
        return {"codes": codes, "label": int(self._labels[index])}

    def array(self) -> Int[np.ndarray, "n *tokens"]:
        """All codes, int32, as `Tokenizer.decode` takes them."""
        return self._codes.astype(np.int32)
