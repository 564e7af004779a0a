"""A training run from configuration to last checkpoint: puts the parts together."""

import contextlib
import dataclasses
from collections.abc import Collection, Mapping
from signal import SIGTERM
from typing import Any

import grain
import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils
from ml_collections import ConfigDict
from rich.console import Console

from vq_jax import sharding
from vq_jax.pretrained.nets import load
from vq_jax.training import header, hooks, loop, memory, rng
from vq_jax.training.alarms import Alarms
from vq_jax.training.compiled import compile_step
from vq_jax.training.interrupt import stop_on_signals
from vq_jax.training.profile import FOLDER, Traced, traced_steps
from vq_jax.training.reporter import Reporter
from vq_jax.training.setup import Setup, prepare
from vq_jax.workdirs import files, metrics
from vq_jax.workdirs.checkpoint import Checkpointer
from vq_jax.workdirs.lock import locked


def train(config: ConfigDict, workdir: epath.PathLike, console: Console) -> int:
    """Trains until `config.num_steps`, resuming what `workdir` holds.

    Returns:
        0, or the number of the signal that stopped the run; it is saved then.

    Raises:
        InputError: bad configuration, data or workdir, or another run is in there. Only
            a broken image and a full disk may come late; the latest checkpoint stays,
            and `data.on_error="skip"` goes on from there.
        FloatingPointError: a metric is not finite; the last good checkpoint stays.
    """
    setup = prepare(config)
    memory.check_fits(setup.abstract_state)
    console.quiet = console.quiet or jax.process_index() > 0
    nets = load(setup.nets)
    workdir = files.make_workdir(workdir)
    batches = _batches(setup)
    with (
        contextlib.closing(batches),  # ends worker processes, where there are any
        locked(workdir),
        contextlib.closing(
            Checkpointer(workdir, config, setup.task.model_path, setup.task.origin)
        ) as checkpointer,
    ):
        state = _restore_or_initialise(setup, checkpointer, batches, console)
        if jax.process_index() == 0:
            files.write_config(workdir, config)
        start_step = int(state.step)
        pending = _pending_evaluations(setup, workdir, start_step)
        if start_step >= config.num_steps and not pending:
            console.print(
                f"{workdir} has finished {start_step} steps already; a larger "
                "config.num_steps goes on, another --workdir starts anew.",
                soft_wrap=True,
            )
            return 0
        checkpointer.check_room(state)
        reporter = Reporter(
            workdir,
            console,
            start_step=start_step,
            num_steps=config.num_steps,
            batch_size=config.batch_size,
            shown=setup.task.shown,
        )
        # By way of the host: what lies on a device of one process cannot be put onto
        # those of all, and a tokenizer's variables do.
        nets = jax.device_put(jax.device_get(nets), sharding.replicated(setup.mesh))
        run = _Run(setup, nets, reporter, checkpointer, batches)
        step, signal = run.train_from(state, pending)
    if step == config.num_steps:
        console.print(f"Finished {step} steps in {workdir}.", soft_wrap=True)
        return 0
    console.print(
        f"Stopped and saved at step {step}; the same command goes on from there.",
        soft_wrap=True,
    )
    # Without a signal of its own, a process was stopped by its job's scheduler.
    return signal or SIGTERM


@dataclasses.dataclass(frozen=True)
class _Run:
    """The parts of a run that is about to train."""

    setup: Setup
    nets: Mapping[str, Any]  # parameters of pretrained networks, on the mesh
    reporter: Reporter
    checkpointer: Checkpointer
    batches: grain.DatasetIterator

    def train_from(self, state, pending: Collection[str]) -> tuple[int, int]:
        """Trains on; returns the number of finished steps, and the stopping signal.

        `pending` names evaluations to begin with.
        """
        task, reporter = self.setup.task, self.reporter
        start_step = int(state.step)
        key = rng.stream(jax.random.key(task.config.seed), "train")
        compiled = compile_step(self.setup)
        rows = header.describe(
            self.setup, compiled, workdir=reporter.workdir, start_step=start_step
        )
        reporter.display.header(rows)
        nets = {net: self.nets[net] for net in task.nets}
        evaluations = self._evaluations()
        batches = reporter.throughput.timed(self.batches)
        traced = Traced(
            reporter.throughput.watched(lambda *args: compiled(*args, nets)),
            traced_steps(task.config),
            reporter.workdir / FOLDER,
            start_step=start_step,
            say=reporter.display.message,
        )
        with (
            stop_on_signals() as stop,
            reporter.running(start_step),
            contextlib.closing(traced),
        ):
            for name in pending:
                evaluations[name].fn(start_step, state, {})
            _, step = loop.train(
                traced,
                state,
                (_global_batch(self.setup, batch) for batch in batches),
                key,
                start_step=start_step,
                num_steps=task.config.num_steps,
                hooks=[self._saving(), *evaluations.values()],
                logs=self._logs(),
                should_stop=stop,
            )
        return step, stop.signal

    def _logs(self) -> list[loop.Every]:
        task, reporter = self.setup.task, self.reporter
        every = task.config.log_every
        return [
            loop.Every(every, hooks.log_metrics(reporter, task.learning_rate)),
            loop.Every(every, hooks.log_alarms(Alarms(task.signs()), reporter)),
        ]

    def _evaluations(self) -> dict[str, loop.Every]:
        return {
            name: loop.Every(
                evaluation.every,
                hooks.evaluate(name, evaluation, self.nets, self.reporter),
            )
            for name, evaluation in self.setup.evaluations.items()
        }

    def _saving(self) -> loop.Every:
        save = hooks.save(self.checkpointer, self.batches, self.reporter)
        every = self.setup.task.config.checkpoint.every
        return loop.Every(every, save, on_stop=True)


def _batches(setup: Setup):
    return setup.task.batches(
        process_index=jax.process_index(), process_count=jax.process_count()
    )


def _pending_evaluations(setup: Setup, workdir: epath.Path, step: int) -> list[str]:
    """Names of the evaluations of the state that a run begins with.

    At step 0 these are all for a model of another run: where that had come to. Later
    they are those that the run was stopped in, after it had saved.
    """
    config = setup.task.config
    if step > config.num_steps:
        return []

    def due(evaluation):
        if step == 0:
            return bool(config.init_from)
        every = loop.Every(evaluation.every, evaluation)
        return every.due(step, last=step == config.num_steps, stopping=False)

    names = [name for name, e in setup.evaluations.items() if due(e)]
    logged = {
        name for line in metrics.read(workdir) if line["step"] == step for name in line
    }
    # The first process decides for all: it alone writes the log.
    missing = multihost_utils.broadcast_one_to_all(
        np.array([hooks.seconds_of(name) not in logged for name in names], bool)
    )
    return [name for name, is_missing in zip(names, missing, strict=True) if is_missing]


def _global_batch(setup: Setup, batch):
    """What the step reads of a process's batch, as global arrays."""
    read = {name: batch[name] for name in setup.task.abstract_batch}
    return sharding.global_batch(read, setup.mesh)


def _restore_or_initialise(setup: Setup, checkpointer, batches, console: Console):
    """The state to go on from: this workdir's, `config.init_from`'s, or a fresh one."""
    if checkpointer.latest_step is not None:
        return checkpointer.restore(setup.abstract_state, batches)
    task = setup.task
    key = jax.random.key(task.config.seed)
    initialise = jax.jit(task.init, out_shardings=setup.shardings)
    state = initialise(rng.stream(key, "init"))
    if task.config.init_from:
        state, step = task.init_from_run(state, task.config.init_from)
        console.print(
            f"Goes on from the model of {task.config.init_from}, step {step}.",
            soft_wrap=True,
        )
    if not task.needs_data_init:
        return state
    # An iterator of its own, so that training still begins with the first batch.
    with contextlib.closing(_batches(setup)) as first_batches:
        first = _global_batch(setup, next(first_batches))
    start = jax.jit(task.init_from_data, out_shardings=setup.shardings)
    return start(state, first, rng.stream(key, "start"))
