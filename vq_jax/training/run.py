"""A training run from configuration to last checkpoint: puts the parts together."""

import contextlib
import dataclasses
from collections.abc import Mapping
from signal import SIGTERM
from typing import Any

import grain
import jax
from etils import epath
from ml_collections import ConfigDict
from rich.console import Console

from vq_jax import sharding
from vq_jax.pretrained.lpips import load_nets
from vq_jax.training import header, hooks, loop, rng
from vq_jax.training.alarms import Alarms
from vq_jax.training.compiled import compile_step
from vq_jax.training.interrupt import stop_on_signals
from vq_jax.training.reporter import Reporter
from vq_jax.training.setup import Setup, prepare
from vq_jax.workdirs import files
from vq_jax.workdirs.checkpoint import Checkpointer


def train(config: ConfigDict, workdir: epath.PathLike, console: Console) -> int:
    """Trains until `config.num_steps`, resuming what `workdir` holds.

    Returns:
        0, or the number of the signal that stopped the run; it is saved then.

    Raises:
        InputError: bad configuration, data or workdir. Only a broken image may come
            late; `data.on_error="skip"` goes on from the latest checkpoint.
        FloatingPointError: a metric is not finite; the last good checkpoint stays.
    """
    setup = prepare(config)
    console.quiet = console.quiet or jax.process_index() > 0
    nets = load_nets(setup.nets)
    workdir = files.make_workdir(workdir)
    batches = _batches(setup)
    with (
        contextlib.closing(batches),  # ends worker processes, where there are any
        contextlib.closing(
            Checkpointer(workdir, config, setup.task.model_path)
        ) as checkpointer,
    ):
        state = _restore_or_initialise(setup, checkpointer, batches, console)
        if jax.process_index() == 0:
            files.write_config(workdir, config)
        start_step = int(state.step)
        if start_step >= config.num_steps:
            console.print(
                f"{workdir} has finished {start_step} steps already; a larger "
                "config.num_steps goes on, another --workdir starts anew.",
                soft_wrap=True,
            )
            return 0
        reporter = Reporter(
            workdir,
            console,
            start_step=start_step,
            num_steps=config.num_steps,
            batch_size=config.batch_size,
            shown=setup.task.shown,
        )
        nets = jax.device_put(nets, sharding.replicated(setup.mesh))
        run = _Run(setup, nets, reporter, checkpointer, batches)
        step, signal = run.train_from(state)
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

    def train_from(self, state) -> tuple[int, int]:
        """Trains on; returns the number of finished steps, and the stopping signal."""
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
        with stop_on_signals() as stop, reporter.running(start_step):
            if task.config.init_from and start_step == 0:
                for every in evaluations:  # where the other run had come to
                    every.fn(0, state, {})
            _, step = loop.train(
                lambda *args: compiled(*args, nets),
                state,
                (_global_batch(self.setup, batch) for batch in self.batches),
                key,
                start_step=start_step,
                num_steps=task.config.num_steps,
                hooks=[*self._logging(), *evaluations, self._saving()],
                should_stop=stop,
            )
        return step, stop.signal

    def _logging(self) -> list[loop.Every]:
        task, reporter = self.setup.task, self.reporter
        every = task.config.log_every
        alarms = hooks.raise_alarms(Alarms(task.signs()), reporter)
        return [
            loop.Every(every, hooks.log_metrics(reporter, task.learning_rate)),
            loop.Every(every, alarms),
        ]

    def _evaluations(self) -> list[loop.Every]:
        return [
            loop.Every(
                evaluation.every,
                hooks.evaluate(evaluation, self.nets, self.reporter),
            )
            for evaluation in self.setup.evaluations.values()
        ]

    def _saving(self) -> loop.Every:
        save = hooks.save(self.checkpointer, self.batches, self.reporter)
        every = self.setup.task.config.checkpoint.every
        return loop.Every(every, save, on_stop=True)


def _batches(setup: Setup):
    return setup.task.batches(
        process_index=jax.process_index(), process_count=jax.process_count()
    )


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
