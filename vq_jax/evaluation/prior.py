"""What evaluations of a prior are given, and have in common."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import ClassVar

import jax
from jaxtyping import Array, Int, UInt8

from vq_jax import sharding
from vq_jax.errors import InputError
from vq_jax.evaluation.base import Evaluation, Subject
from vq_jax.inference.code_data import CodeData
from vq_jax.inference.load import SavedTokenizer
from vq_jax.inference.tokenizer import decode
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.ops import row_keys
from vq_jax.ops.sampling import Sampling
from vq_jax.pretrained.nets import Net
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True)
class PriorSubject(Subject):
    """A prior, whose variables an evaluation is called with, and what it needs.

    Attributes:
        tokenizer: what it is a prior of.
        code_data: the codes of the splits.
        sampling: how codes are drawn.
    """

    tokenizer: SavedTokenizer
    code_data: CodeData
    sampling: Sampling

    @property
    def nets(self) -> dict[str, Net]:
        """The tokenizer."""
        return {TOKENIZER: self.tokenizer.net}

    def code_batches(
        self, split: str, batch_size: int, *, limit: int | None = None
    ) -> Iterator[dict[str, jax.Array]]:
        """What `code_data.codes` takes, with "label" and "mask"; global arrays.

        Raises:
            InputError: the split has labels that the prior does not know, or none where
                it knows images of a class only.
        """
        self._check_labels(split)
        batches = self.code_data.eval_batches(split, batch_size=batch_size, limit=limit)
        return (sharding.global_batch(batch, self.mesh) for batch in batches)

    def _check_labels(self, split: str) -> None:
        known, found = self.model.num_classes, len(self.code_data.classes(split))
        # Of idx files the classes are the labels that occur, so there may be fewer.
        if known and (found > known or not (found or self.model.class_dropout)):
            raise InputError(
                f"config.data.source={self.data.source!r}: split {split!r} has "
                f"{found or 'no'} classes, and the prior learnt {known} "
                f"(config.prior.class_dropout={self.model.class_dropout:g}); evaluate "
                "images whose classes are those of its training."
            )

    def variables(self, variables: Variables, nets: Mapping) -> Variables:
        """All that the prior is applied with."""
        return {**variables, TOKENIZER: nets[TOKENIZER]}

    def draw(
        self,
        variables: Variables,
        seed: int,
        rows: Int[Array, "b"],
        labels: Int[Array, "b"],
    ) -> UInt8[Array, "b h w c"]:
        """Images of these classes; pure. That of a row depends on seed and row alone.

        `variables` are all that the prior is applied with, and its tokenizer.
        """
        keys = row_keys.numbered(jax.random.key(seed), rows)
        codes = self.model.apply(
            variables, keys, labels, self.sampling, None, method="sample"
        )
        return decode(self.tokenizer.model, variables[TOKENIZER], codes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PriorEvaluation(Evaluation):
    """Base class of the evaluations of priors, which need the tokenizer as well."""

    SUBJECT: ClassVar = PriorSubject

    @property
    def nets(self):
        return self.subject.nets
