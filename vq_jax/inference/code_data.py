"""The codes that a prior learns from: made from images as it trains, or read from disk.

Both kinds give batches of NumPy arrays, and turn a batch into codes under `jax.jit`.
"""

import abc
import dataclasses
from collections.abc import Iterator, Mapping

import grain
import jax
import numpy as np
from ml_collections import ConfigDict

from vq_jax.data import pipeline
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
    def num_classes(self) -> int:
        """Number of classes of the training split; 0 where it has no labels."""

    @abc.abstractmethod
    def describe(self) -> str:
        """The data in a line or two; opens and checks them."""


class OnlineCodes(CodeData):
    """Images, encoded in each step: new crops and mirror images in every epoch."""

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

    def num_classes(self):
        records = pipeline.open_records(self.data, self.data.train_split)
        return len(records.source.classes)

    def describe(self):
        return f"{pipeline.describe(self.data)}\nencoded in each step"


def open_code_data(codes: str, tokenizer: SavedTokenizer, data: ConfigDict) -> CodeData:
    """The data that `config.codes` names: "online".

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
    assert codes == ONLINE  # TODO codes on disk
    return OnlineCodes(tokenizer, data)
