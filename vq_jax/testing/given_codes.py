"""Codes of a tiny tokenizer that are given, and not encoded from images."""

import dataclasses
from collections.abc import Mapping

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from configs.parts.priors import prior_defaults
from vq_jax.inference.code_data import CodeData
from vq_jax.inference.load import SavedTokenizer
from vq_jax.testing import tiny


@dataclasses.dataclass(frozen=True)
class GivenCodes(CodeData):
    """The same codes and labels in every training batch; rows of padding are garbage.

    Attributes:
        splits: name -> (codes [n, *tokens], labels [n]).
    """

    splits: Mapping[str, tuple[np.ndarray, np.ndarray]]

    def abstract_batch(self, batch_size):
        shape = (batch_size, *self.tokenizer.layout.shape)
        return {
            "codes": jax.ShapeDtypeStruct(shape, "int32"),
            "label": jax.ShapeDtypeStruct((batch_size,), "int32"),
        }

    def train_batches(self, *, seed, batch_size, process_index, process_count):
        raise NotImplementedError

    def eval_batches(self, split, *, batch_size, limit=None):
        codes, labels = (array[: limit or None] for array in self.splits[split])
        for start in range(0, len(codes), batch_size):
            rows = slice(start, start + batch_size)
            missing = batch_size - len(codes[rows])
            padding = ((0, missing),) + ((0, 0),) * (codes.ndim - 1)
            yield {
                "codes": np.pad(codes[rows], padding, constant_values=1),
                "label": np.pad(labels[rows], (0, missing), constant_values=-1),
                "mask": np.arange(batch_size) < len(codes[rows]),
            }

    def codes(self, batch, nets):
        return batch["codes"]

    def classes(self, split):
        found = 1 + max(int(labels.max()) for _, labels in self.splits.values())
        return [*map(str, range(found))]

    def describe(self):
        return "given codes"


def given_codes(quantizer: str = "vq", **splits) -> GivenCodes:
    """Codes by split, of a tiny tokenizer of RGB images of 16 px, on grids of 4 x 4."""
    data = ConfigDict(prior_defaults().data.to_dict() | {"image_size": 16})
    config = ConfigDict({"data": data, "model": tiny.model_config(quantizer)})
    tokenizer = SavedTokenizer(epath.Path("none"), tiny.model(quantizer), config, 0)
    return GivenCodes(tokenizer, data, splits)
