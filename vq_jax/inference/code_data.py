"""The codes that a prior learns from: made from images as it trains, or read from disk.

Both kinds give batches of NumPy arrays, and turn a batch into codes under `jax.jit`.
"""

import abc
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import grain
import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from vq_jax.data import code_batches, pipeline
from vq_jax.data.code_shards import damaged
from vq_jax.data.codes import CARD, CodeSource
from vq_jax.errors import InputError
from vq_jax.inference.load import SavedTokenizer
from vq_jax.inference.tokenizer import encode
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.ops.token_layout import Codes
from vq_jax.pretrained.nets import Net

ONLINE = "online"


@dataclasses.dataclass(frozen=True)
class CodeData(abc.ABC):
    """Codes and labels of the splits of a data set.

    Attributes:
        tokenizer: what the codes are those of.
        data: `config.data`.
    """

    tokenizer: SavedTokenizer
    data: ConfigDict

    @property
    def nets(self) -> dict[str, Net]:
        """What `codes` needs the variables of."""
        return {}

    @abc.abstractmethod
    def abstract_batch(self, batch_size: int) -> dict[str, jax.ShapeDtypeStruct]:
        """What `codes` and training read of a global batch; "label" is one of it."""

    @abc.abstractmethod
    def train_batches(
        self, *, seed: int, batch_size: int, process_index: int, process_count: int
    ) -> grain.DatasetIterator:
        """Endless batches of the training split: a process's part, resumable."""

    @abc.abstractmethod
    def eval_batches(
        self, split: str, *, batch_size: int, limit: int | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Every image of a split once, with "mask" [b], 0 where a row is padding."""

    @abc.abstractmethod
    def codes(self, batch: Mapping, nets: Mapping) -> Codes:
        """The codes of a batch, int32 [b, *tokens]; pure."""

    @abc.abstractmethod
    def classes(self, split: str) -> Sequence[str]:
        """Names of the labels 0, 1, … of a split; empty where it has none."""

    @abc.abstractmethod
    def describe(self) -> str:
        """The data in a line or two; opens and checks them."""


@dataclasses.dataclass(frozen=True)
class OnlineCodes(CodeData):
    """Images, encoded in each step: new crops and mirror images in every epoch."""

    # By split; a folder would be listed anew at every evaluation.
    _classes: dict[str, Sequence[str]] = dataclasses.field(
        default_factory=dict, repr=False
    )

    @property
    def nets(self):
        return {TOKENIZER: self.tokenizer.net}

    def abstract_batch(self, batch_size):
        size, channels = self.data.image_size, self.data.channels
        return {
            "image": jax.ShapeDtypeStruct((batch_size, size, size, channels), "uint8"),
            "label": jax.ShapeDtypeStruct((batch_size,), "int32"),
        }

    def train_batches(self, *, seed, batch_size, process_index, process_count):
        return pipeline.train_batches(
            self.data,
            seed=seed,
            batch_size=batch_size,
            process_index=process_index,
            process_count=process_count,
        )

    def eval_batches(self, split, *, batch_size, limit=None):
        return pipeline.eval_batches(
            self.data,
            split,
            batch_size=batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            limit=limit,
        )

    def codes(self, batch, nets):
        return encode(self.tokenizer.model, nets[TOKENIZER], batch["image"])

    def classes(self, split):
        if split not in self._classes:
            source = pipeline.open_records(self.data, split).source
            self._classes[split] = source.classes
        return self._classes[split]

    def describe(self):
        return f"{pipeline.describe(self.data)}\nencoded in each step"


@dataclasses.dataclass(frozen=True)
class SavedCodes(CodeData):
    """Codes that `vq-jax tokenize` wrote, FOLDER/train and FOLDER/test.

    Folders are named as the splits of `config.data`. Of images with several views
    training takes another one in every epoch, evaluation the first.

    Attributes:
        folder: `config.codes`.
    """

    folder: epath.Path
    _opened: dict[str, CodeSource] = dataclasses.field(default_factory=dict, repr=False)

    def abstract_batch(self, batch_size):
        shape = (batch_size, *self.tokenizer.layout.shape)
        return {
            "codes": jax.ShapeDtypeStruct(shape, "int32"),
            "label": jax.ShapeDtypeStruct((batch_size,), "int32"),
        }

    def train_batches(self, *, seed, batch_size, process_index, process_count):
        self._check()
        return code_batches.train_batches(
            self._source(self.data.train_split),
            self.data,
            seed=seed,
            batch_size=batch_size,
            process_index=process_index,
            process_count=process_count,
        )

    def eval_batches(self, split, *, batch_size, limit=None):
        return code_batches.eval_batches(
            self._source(split),
            self.data,
            batch_size=batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            limit=limit,
        )

    def codes(self, batch, nets):
        return batch["codes"]

    def classes(self, split):
        return self._source(split).card["classes"]

    def describe(self):
        self._check()
        return "\n".join(
            f"{source.name}: {source.num_images} images, {source.card['preprocessing']}"
            for source in self._splits()
        )

    def _check(self) -> None:
        """Raises InputError where one of the two splits cannot be used."""
        train, held_out = self._splits()
        classes = train.card["classes"], held_out.card["classes"]
        # Those of idx files are the labels that occur.
        if classes[0][: len(classes[1])] != classes[1]:
            raise InputError(
                f"{train.name} and {held_out.name} have other classes: {classes[0][:3]}"
                f" …, {len(classes[0])}, and {classes[1][:3]} …, {len(classes[1])}; "
                "write both from one data set."
            )

    def _splits(self) -> list[CodeSource]:
        """The training split and the held-out one."""
        return [*map(self._source, (self.data.train_split, self.data.eval_split))]

    def _source(self, split: str) -> CodeSource:
        if split not in self._opened:
            self._opened[split] = _open_codes(
                self.folder / split, split, self.tokenizer, self.data
            )
        return self._opened[split]


def _open_codes(
    path: epath.Path, split: str, tokenizer: SavedTokenizer, data: ConfigDict
) -> CodeSource:
    """Codes of a split that are those of the tokenizer and the data.

    Raises:
        InputError: they are missing or unfinished, damaged, or others.
    """
    command = f"vq-jax tokenize --workdir={tokenizer.workdir} --split={split} --out="
    if not (path / CARD).exists():
        found = "unfinished" if path.exists() else "missing"
        raise InputError(
            f"config.codes={str(path.parent)!r}: the codes of split {split!r} are "
            f"{found}; write them with: {command}{path}"
        )
    source = CodeSource(path)
    layout = tokenizer.layout
    # (what, of the codes, wanted)
    for what, found, wanted in (
        ("the tokenizer's digest", source.card.get("digest"), tokenizer.digest),
        ("codebook_size", source.codebook_size, layout.codebook_size),
        ("the shape of tokens", source.token_shapes, [layout.shape]),
        ("split", source.card.get("split"), split),
        ("config.data.source", source.card.get("source"), data.source),
        (
            "config.data.exclude_labels",
            source.card.get("exclude_labels", []),
            [*data.exclude_labels],
        ),
    ):
        if found != wanted:
            raise InputError(
                f"{path} has other codes: {what} is {found}, and the configuration, "
                f"with the tokenizer {tokenizer.workdir} at step {tokenizer.step}, "
                f"stands for {wanted}. Change it, or write them anew with: "
                f"{command}NEW_FOLDER/{split}"
            )
    most = int(source.labels.max())
    if most >= len(source.card["classes"]) > 0:
        raise damaged(path, f"label {most} of {len(source.card['classes'])} classes")
    return source


def open_code_data(codes: str, tokenizer: SavedTokenizer, data: ConfigDict) -> CodeData:
    """The data that `config.codes` names: "online", or a folder of codes.

    Raises:
        InputError: images are not as the tokenizer takes them.
    """
    trained = tokenizer.config.data
    for name in ("image_size", "channels"):
        if data[name] != trained[name]:
            raise InputError(
                f"config.data.{name}={data[name]} but the tokenizer in "
                f"{tokenizer.workdir} was trained with {trained[name]}; give both the "
                "same."
            )
    if not codes:
        raise InputError(
            f"config.codes is empty; give {ONLINE!r}, or the folder of codes that "
            "vq-jax tokenize --out=FOLDER/SPLIT wrote."
        )
    if codes == ONLINE:
        return OnlineCodes(tokenizer, data)
    return SavedCodes(tokenizer, data, epath.Path(codes).expanduser())
