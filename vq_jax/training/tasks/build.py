"""From `config.task` to a task: the table of all kinds of run."""

from ml_collections import ConfigDict

from vq_jax.config.checks import choose
from vq_jax.config.fields import check_section
from vq_jax.errors import InputError
from vq_jax.training.tasks.adversarial import AdversarialTask
from vq_jax.training.tasks.autoencoder import AutoencoderTask
from vq_jax.training.tasks.base import Task
from vq_jax.training.tasks.prior import PriorTask
from vq_jax.training.tasks.restoration import RestorationTask

TASKS = {
    "adversarial": AdversarialTask,
    "autoencoder": AutoencoderTask,
    "prior": PriorTask,
    "restoration": RestorationTask,
}


def build_task(config: ConfigDict, **given) -> Task:
    """The kind of run that `config.task` names, built and checked.

    `given` is what the kind takes besides, as the tokenizer of a prior or a restorer.

    Raises:
        InputError: an unknown kind, or a section that does not fit it.
    """
    return choose(TASKS, config.task, "config.task")(config, **given)


def check_fields(config: ConfigDict) -> None:
    """Raises InputError where a configuration has other fields than its kind of run.

    Or where one of them has a value that it does not take. Sections that are built from
    a table have theirs checked there, by `build_task`.
    """
    if "task" not in config:
        raise InputError(f"config.task is missing; choose from {sorted(TASKS)}.")
    kind = choose(TASKS, config.task, "config.task")
    owner = f"config.task={config.task!r}"
    check_section(kind.fields, config, "config", owner=owner)
