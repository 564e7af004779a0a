"""From `config.task` to a task: the table of all kinds of run."""

from ml_collections import ConfigDict

from vq_jax.config.checks import choose
from vq_jax.training.tasks.adversarial import AdversarialTask
from vq_jax.training.tasks.autoencoder import AutoencoderTask
from vq_jax.training.tasks.base import Task

TASKS = {"adversarial": AdversarialTask, "autoencoder": AutoencoderTask}


def build_task(config: ConfigDict) -> Task:
    """The kind of run that `config.task` names, built and checked.

    Raises:
        InputError: an unknown kind, or a section that does not fit it.
    """
    return choose(TASKS, config.task, "config.task")(config)
