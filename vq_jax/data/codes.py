"""The code indices of a data set on disk, written once and read by random access.

A folder has

    shard-00000, shard-00001, …  see `code_shards`
    codes.json                   the card: see `code_writer`

and rows are numbered through all shards: view after view of the first image, then of
the second. The tokens of a row are [hq, wq] with most quantizers; product heads and
residual levels add axes. The card is written last, so a folder without it is
unfinished. What earlier versions wrote is read, too: one shard, beside its card.
"""

import functools
import hashlib
import json

import numpy as np
from etils import epath
from jaxtyping import Int

from vq_jax.data.code_shards import CODES, Shard, damaged
from vq_jax.errors import InputError

CARD = "codes.json"
MAX_OPEN = 256  # files at once: many systems allow a process 1,024


class CodeSource:
    """Random access to the codes in a folder.

    `source[i]` is {"codes": int32 [*tokens], "label": int} of row i, which is view
    i % num_views of image i // num_views. Codes are mapped into memory, not read into
    it. It can be pickled: the copy opens the files again.

    Attributes:
        codebook_size: number of codes of the tokenizer that made them.
        num_views: crops and mirror images of each image.
        labels: int [rows].
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
        self.card = read_card(path)
        self.codebook_size = self.card["codebook_size"]
        self.num_views = self.card.get("num_views", 1)
        self._shards = [Shard(folder) for folder in self._folders()]
        self.labels = np.concatenate([shard.labels for shard in self._shards])
        self._ends = np.cumsum([len(shard) for shard in self._shards])
        wanted = self.card.get("num_images", len(self)) * self.num_views
        if len(self) != wanted:
            raise damaged(path / CARD, f"it has {wanted} rows, and shards {len(self)}")
        self._open = functools.lru_cache(MAX_OPEN)(lambda i: self._shards[i].open())

    def __reduce__(self):
        return CodeSource, (self._path,)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict:
        index = range(len(self))[index]
        number = int(np.searchsorted(self._ends, index, side="right"))
        shard = self._shards[number]
        row = index - int(self._ends[number]) + len(shard)
        codes = self._checked(
            shard.row(self._open(number), row), shard, f"image {index}"
        )
        return {"codes": codes, "label": int(self.labels[index])}

    @property
    def name(self) -> str:
        """Where they are."""
        return f"codes:{self._path}"

    @property
    def fingerprint(self) -> str:
        """Another one for other codes, as `sources.Source` has it."""
        card = json.dumps(self.card, sort_keys=True).encode()
        digest = hashlib.blake2b(card, digest_size=4).hexdigest()
        return f"{len(self)} rows of codes, card {digest}"

    @property
    def num_images(self) -> int:
        """Number of images, each of which has `num_views` rows."""
        return len(self) // self.num_views

    @functools.cached_property
    def token_shapes(self) -> list[tuple[int, ...]]:
        """The shapes that the tokens of an image have, sorted; one if all are alike."""
        return sorted(set().union(*(shard.token_shapes() for shard in self._shards)))

    def array(self) -> Int[np.ndarray, "n *tokens"]:
        """All codes, int32, as `Tokenizer.decode` takes them; read into memory.

        Raises:
            InputError: images differ in size, or a code is out of range.
        """
        if len(self.token_shapes) > 1:
            raise InputError(
                f"{self._path}: images have codes of several shapes, as "
                f"{self.token_shapes[0]} and {self.token_shapes[-1]}; take them one by "
                "one, as source[i]['codes']."
            )
        return np.concatenate(
            [
                self._checked(shard.open(), shard, "the file")
                for shard in self._shards
                if len(shard)
            ]
        )

    @functools.cached_property
    def images(self) -> list[dict[str, str | int]]:
        """Of each row {"name", "label", "class", "height", "width", "view"}.

        Raises:
            InputError: a list of images is missing or damaged.
        """
        return [row for shard in self._shards for row in shard.images()]

    def _folders(self) -> list[epath.Path]:
        if "num_shards" not in self.card:  # of an earlier version
            return [self._path]
        return [shard_folder(self._path, i) for i in range(self.card["num_shards"])]

    def _checked(self, codes: np.ndarray, shard: Shard, what: str) -> np.ndarray:
        # Here and not when opening, which would read files of any size.
        if codes.size and not 0 <= codes.min() <= codes.max() < self.codebook_size:
            raise damaged(
                shard.folder / CODES,
                f"codes of {what} reach from {codes.min()} to {codes.max()}, and "
                f"{CARD} has codes 0 to {self.codebook_size - 1}",
            )
        return codes.astype(np.int32)


def shard_folder(path: epath.Path, number: int) -> epath.Path:
    """Where a shard of the codes in `path` is."""
    return path / f"shard-{number:05d}"


def read_card(path: epath.Path) -> dict:
    """The card of the codes in `path`.

    Raises:
        InputError: it is damaged.
    """
    path = path / CARD
    try:
        card = json.loads(path.read_bytes())
    except ValueError as error:
        raise damaged(path, error) from error
    fields = card if isinstance(card, dict) else {}
    counts = ("codebook_size", "num_views", "num_shards", "num_images")
    for name in counts if "num_shards" in fields else counts[:1]:
        if type(fields.get(name)) is not int or fields[name] < 1:
            raise damaged(path, f"it has no {name} of 1 or more")
    return card
