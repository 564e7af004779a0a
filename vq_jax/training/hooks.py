"""What happens around training; `log_…` functions return logs, all others hooks."""

import time
from collections.abc import Callable, Mapping

import grain

from vq_jax.evaluation.base import Evaluation
from vq_jax.training.alarms import Alarms
from vq_jax.training.reporter import Reporter
from vq_jax.workdirs.checkpoint import Checkpointer


def log_metrics(reporter: Reporter, schedule: Callable) -> Callable:
    """Logs and shows the step's metrics, its learning rate, and the throughput."""

    def log(step, metrics):
        learning_rate = float(schedule(step - 1))
        reporter.progress(step, {**metrics, "train/learning_rate": learning_rate})

    return log


def log_alarms(alarms: Alarms, reporter: Reporter) -> Callable:
    """Shows the warnings that the step's metrics give rise to."""

    def log(step, metrics):
        _raise(alarms, reporter, step, metrics)

    return log


def _raise(alarms: Alarms, reporter: Reporter, step: int, metrics: Mapping) -> None:
    for name, message in alarms.check(metrics).items():
        reporter.display.message(f"step {step} · ALARM {name}: {message}")


def seconds_of(evaluation: str) -> str:
    """The metric that every evaluation logs last, by the name of its section."""
    return f"perf/{evaluation}_seconds"


def evaluate(
    name: str, evaluation: Evaluation, nets: Mapping, reporter: Reporter
) -> Callable:
    """Evaluates the state's model; writes pictures, then logs `eval/SPLIT/NUMBER`.

    Then it shows the warnings that these numbers give rise to.

    `name` is that of the evaluation's section. `nets` has the parameters of its
    pretrained networks.
    """
    split = evaluation.subject.split
    alarms = Alarms(evaluation.signs())

    def hook(step, state, metrics):
        started = time.perf_counter()
        report = evaluation(state.inference_variables(), nets)
        for picture, pixels in report.pictures.items():
            reporter.image(step, picture, pixels)
        found = {k: float(v) for k, v in report.metrics.items() if v is not None}
        logged = {f"eval/{split}/{k}": v for k, v in found.items()}
        logged[seconds_of(name)] = time.perf_counter() - started
        reporter.scalars(step, logged)
        if found:
            listed = " · ".join(f"{k} {value:.4g}" for k, value in found.items())
            reporter.display.message(f"step {step} · {split}: {listed}")
        _raise(alarms, reporter, step, found)

    return reporter.throughput.paused(hook)


def save(
    checkpointer: Checkpointer, iterator: grain.DatasetIterator, reporter: Reporter
) -> Callable:
    """Saves state and data iterator."""

    def hook(step, state, metrics):
        checkpointer.save(step, state, iterator)

    return reporter.throughput.paused(hook)
