"""A run before any of its work: what follows from its configuration alone, checked."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from vq_jax import sharding
from vq_jax.errors import InputError
from vq_jax.evaluation.base import Evaluation
from vq_jax.pretrained.nets import Net
from vq_jax.training.jax_flags import check_flags
from vq_jax.training.profile import traced_steps
from vq_jax.training.tasks.base import Task
from vq_jax.training.tasks.build import build_task, check_fields


@dataclasses.dataclass(frozen=True)
class Setup:
    """Nothing is computed or read yet.

    Attributes:
        task: the kind of run.
        mesh: the devices.
        evaluations: by the name of their section.
        abstract_state: shapes, dtypes and shardings of the state.
    """

    task: Task
    mesh: Mesh
    evaluations: dict[str, Evaluation]
    abstract_state: Any

    @property
    def nets(self) -> dict[str, Net]:
        """All pretrained networks that the run needs, by name."""
        nets = dict(self.task.nets)
        for evaluation in self.evaluations.values():
            nets.update(evaluation.nets)
        return nets

    @property
    def shardings(self):
        """Where the arrays of the state go."""
        return jax.tree.map(lambda leaf: leaf.sharding, self.abstract_state)


def prepare(
    config: ConfigDict,
    devices: Sequence[jax.Device] | None = None,
    build: Callable[[ConfigDict], Task] = build_task,
) -> Setup:
    """Builds everything that `config` describes.

    Args:
        config: of the run.
        devices: all, if none are given; they may be described ones that are not there
            (`jax.experimental.topologies`).
        build: makes the task, where it is given what is not there yet.

    Raises:
        InputError: a value is out of range, two values do not fit each other, or a flag
            of JAX is set that no run can train with.
    """
    check_flags()
    check_fields(config)
    traced_steps(config)
    mesh = sharding.make_mesh(
        data=config.mesh.data, fsdp=config.mesh.fsdp, devices=devices
    )
    sharding.check_batch_size(config.batch_size, mesh, "config.batch_size")
    parts = config.optim.accumulation
    if parts < 1 or config.batch_size % (parts * mesh.size):
        raise InputError(
            f"config.optim.accumulation={parts} must divide config.batch_size="
            f"{config.batch_size} into parts that are multiples of the {mesh.size} "
            "devices."
        )
    task = build(config)
    abstract_state = jax.eval_shape(task.init, jax.random.key(0))
    task.check_training(abstract_state)
    return Setup(
        task=task,
        mesh=mesh,
        evaluations=task.evaluations(mesh),
        abstract_state=sharding.with_shardings(abstract_state, mesh),
    )
