"""The contract of all evaluations."""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from vq_jax import compiler, sharding
from vq_jax.config import ranges
from vq_jax.data import pipeline
from vq_jax.metrics.signs import Sign
from vq_jax.pretrained.nets import Net
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        metrics: name -> number; None where it does not apply, as usage without codes.
        pictures: name -> uint8 [height, width, 3].
    """

    metrics: dict[str, float | int | None] = dataclasses.field(default_factory=dict)
    pictures: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is evaluated, and on which data.

    Attributes:
        model: the module whose variables an evaluation is called with.
        data: `config.data`.
        split: the split of the data.
        mesh: the devices.
    """

    model: Any
    data: ConfigDict
    split: str
    mesh: Mesh

    def compile(self, function: Callable) -> Callable:
        """The function compiled, with its results on all devices of the mesh."""
        return compiler.jit(function, out_shardings=sharding.replicated(self.mesh))

    def batches(
        self, batch_size: int, *, limit: int | None = None
    ) -> Iterator[dict[str, jax.Array]]:
        """Every image of the split once, as {"image", "label", "mask"}, global arrays.

        "image" is uint8 [b, h, w, c]; "mask" [b] is 0 where a row is padding.
        """
        batches = pipeline.eval_batches(
            self.data,
            self.split,
            batch_size=batch_size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            limit=limit,
        )
        return (sharding.global_batch(batch, self.mesh) for batch in batches)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(abc.ABC):
    """One kind of evaluation, the section `config.evaluations.NAME` of a configuration.

    A kind is a frozen dataclass derived from this one, whose fields are those of its
    section, and a line in `evaluation/build.py`. Training calls it every so many steps,
    `vq-jax evaluate` and notebooks by hand, all in the same way.

    Attributes:
        subject: what is evaluated.
        where: path of the section, for error messages.
        every: interval in training steps; 0 is once, after the last one.
    """

    SUBJECT: ClassVar[type] = Subject
    """What this kind evaluates: Subject, or a class derived from it, and no other."""

    subject: Subject
    where: str
    every: ranges.Steps = 0

    @property
    def nets(self) -> dict[str, Net]:
        """The pretrained networks whose parameters a call needs, by name."""
        return {}

    def signs(self) -> dict[str, Sign]:
        """Name -> sign of a training that goes wrong, in the metrics of a report."""
        return {}

    @abc.abstractmethod
    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        """Evaluates the model.

        Args:
            variables: of the model, for inference.
            nets: the parameters of each of `self.nets`, on the mesh.
        """
