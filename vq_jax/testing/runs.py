"""What a run has left behind, for comparisons of runs; runs without their training."""

import contextlib
import json
import pathlib

import jax
import orbax.checkpoint as ocp
from ml_collections import ConfigDict

from vq_jax.training.tasks.build import build_task
from vq_jax.workdirs import checkpoint


def logged(workdir: pathlib.Path) -> list[dict]:
    """All that a run has logged, in order, but for "perf/…": those are times."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if not k.startswith("perf/")}
        for line in lines
    ]


def describe_run(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Writes a checkpoint with a configuration and without arrays.

    For what builds a model and reads none of its variables.
    """
    items = {
        checkpoint.CONFIG: ocp.args.JsonSave(config.to_dict()),
        checkpoint.CARD: ocp.args.JsonSave({}),
    }
    with ocp.CheckpointManager(checkpoint.directory(workdir)) as manager:
        manager.save(0, args=ocp.args.Composite(**items))


def initialise_run(config: ConfigDict, workdir: pathlib.Path) -> None:
    """Writes the checkpoint of a run that has not trained: its model is random."""
    task = build_task(config)
    state = jax.jit(task.init)(jax.random.key(config.seed))
    with (
        contextlib.closing(task.batches()) as batches,
        contextlib.closing(
            checkpoint.Checkpointer(workdir, config, task.model_path, task.origin)
        ) as checkpointer,
    ):
        checkpointer.save(0, state, batches)
        checkpointer.wait()
