"""The contract of all kinds of run."""

import abc
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypedDict

import grain
import jax
import optax
from etils import epath
from jax.sharding import Mesh
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.data.pipeline import DataFields
from vq_jax.errors import InputError
from vq_jax.evaluation.base import Evaluation
from vq_jax.metrics.signs import Sign
from vq_jax.pretrained.nets import Net
from vq_jax.sharding import MeshFields
from vq_jax.training.optim import OptimFields
from vq_jax.training.profile import ProfileFields
from vq_jax.workdirs.checkpoint import CheckpointFields


def count_parameters(tree) -> int:
    """Number of elements of all arrays, for the header."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


class RunFields(TypedDict):
    """The configuration of any run; kinds of run add the fields that they read.

    Attributes:
        task: the kind of run, one of `tasks/build.py: TASKS`.
        seed: decides all that is random.
        num_steps: training ends after so many.
        batch_size: images of a step, over all devices and processes.
        log_every: interval of logged metrics, in steps.
        init_from: workdir of a run whose model this one goes on from; "" for none.
        evaluations: a section for each, of `evaluation/build.py: EVALUATIONS`.
    """

    task: str
    seed: Annotated[int, ranges.Range(0, 2**32 - 1)]
    num_steps: Annotated[int, ranges.Range(1, 2**31 - 1)]
    batch_size: Annotated[int, ranges.Range(1, 2**20)]
    log_every: Annotated[int, ranges.Range(1, 2**31 - 1)]
    init_from: str
    data: DataFields
    optim: OptimFields
    evaluations: Mapping[str, Mapping]
    checkpoint: CheckpointFields
    mesh: MeshFields
    profile: ProfileFields


class Task(abc.ABC):
    """A kind of run: all that `run.py` needs to know of it, and all that it asks.

    A kind is a file in this folder and a line in `tasks/build.py`. It is built from a
    configuration, checks the sections that it reads, and computes nothing yet.

    A state is any pytree of arrays with a `step` and with `inference_variables()`.

    Attributes:
        fields: what the configuration may have, a TypedDict derived from `RunFields`.
        config: the whole configuration of the run.
        shown: metrics on the line of progress, where a step has them.
        model_path: where in the state the TrainState lies whose model other runs and
            programs may use: the name of a field, or "" for the state itself.
        learning_rate: number of finished steps -> rate of the next one, for the logs.
    """

    fields: type = RunFields
    shown: tuple[str, ...] = ("train/loss",)
    model_path: str = ""
    learning_rate: optax.Schedule

    def __init__(self, config: ConfigDict):
        self.config = config

    def model_state(self, state) -> Any:
        """The part of a state at `model_path`."""
        return getattr(state, self.model_path) if self.model_path else state

    @property
    def nets(self) -> dict[str, Net]:
        """The pretrained networks whose parameters `step` is called with, by name."""
        return {}

    @property
    def origin(self) -> dict[str, str]:
        """Name -> digest of what the model is made for, as its tokenizer; reads it."""
        return {}

    @property
    @abc.abstractmethod
    def abstract_batch(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and dtypes of a global batch: what `step` reads of it, by name."""

    @abc.abstractmethod
    def batches(
        self, *, process_index: int = 0, process_count: int = 1
    ) -> grain.DatasetIterator:
        """Endless training batches: this process's part, resumable."""

    @abc.abstractmethod
    def describe_data(self) -> str:
        """The data in a line or two, for the header; opens them and checks them."""

    @abc.abstractmethod
    def init(self, key: jax.Array) -> Any:
        """The state at step 0; pure."""

    @property
    def needs_data_init(self) -> bool:
        """Whether `init_from_data` has to see a batch before the first step."""
        return False

    def init_from_data(self, state, batch: Mapping, key: jax.Array) -> Any:
        """The state after data-dependent initialisation on a first batch; pure."""
        return state

    def init_from_run(self, state, workdir: epath.PathLike) -> tuple[Any, int]:
        """The state with the model of another run, and that run's step.

        Raises:
            InputError: this kind of run cannot do that, or the other run's model does
                not fit.
        """
        raise InputError(
            f"config.init_from={workdir}: a run of config.task={self.config.task!r} "
            "takes over no other run's model; leave config.init_from empty."
        )

    def check_training(self, abstract_state) -> None:  # noqa: B027, may stay empty
        """Raises InputError where training would not do what the fields say.

        A run that was trained so all the same may still be evaluated.

        Args:
            abstract_state: what `init` returns, as shapes and dtypes.
        """

    @property
    @abc.abstractmethod
    def step(self) -> Callable:
        """`step(state, batch, key, nets) -> (state, metrics)`; pure, global batch."""

    @abc.abstractmethod
    def evaluations(self, mesh: Mesh) -> dict[str, Evaluation]:
        """Name -> evaluation, of the sections in `config.evaluations`."""

    def signs(self) -> dict[str, Sign]:
        """Name -> sign of a training that goes wrong, to warn of."""
        return {}

    @abc.abstractmethod
    def describe(self, abstract_state) -> dict[str, str]:
        """Rows about models for the header: title -> text."""
