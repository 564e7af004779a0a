"""What happens around training; each function returns `fn(step, state, metrics)`."""

from collections.abc import Callable

import grain
import jax
import numpy as np

from vq_jax.evaluation import pictures
from vq_jax.training.alarms import Alarms
from vq_jax.training.checkpoint import Checkpointer
from vq_jax.training.outputs import Outputs


def log_metrics(outputs: Outputs, schedule: Callable) -> Callable:
    """Records and shows the step's metrics, its learning rate, and the throughput."""

    def hook(step, state, metrics):
        learning_rate = float(schedule(step - 1))
        outputs.progress(step, {**metrics, "train/learning_rate": learning_rate})

    return hook


def raise_alarms(alarms: Alarms, outputs: Outputs) -> Callable:
    """Shows what the alarms tell of the step's metrics."""

    def hook(step, state, metrics):
        for name, message in alarms.check(metrics).items():
            outputs.display.message(f"step {step} · ALARM {name}: {message}")

    return hook


def evaluate(run_evaluation: Callable, outputs: Outputs, split: str) -> Callable:
    """Evaluates the state's inference variables; records `eval/SPLIT/NAME`."""

    def hook(step, state, metrics):
        report = run_evaluation(state.inference_variables())
        report = {name: value for name, value in report.items() if value is not None}
        outputs.scalars(step, {f"eval/{split}/{k}": v for k, v in report.items()})
        listed = " · ".join(f"{name} {value:.4g}" for name, value in report.items())
        outputs.display.message(f"step {step} · {split}: {listed}")

    return outputs.throughput.paused(hook)


def draw_images(
    reconstruct: Callable, images: np.ndarray, outputs: Outputs
) -> Callable:
    """Draws originals, uint8 [n, h, w, c], above their reconstructions."""

    def hook(step, state, metrics):
        recons = jax.device_get(reconstruct(state.inference_variables(), images))
        grid = pictures.comparison_grid(images, recons)
        outputs.image(step, "reconstructions", grid)

    return outputs.throughput.paused(hook)


def save(
    checkpointer: Checkpointer, iterator: grain.DatasetIterator, outputs: Outputs
) -> Callable:
    """Saves state and data iterator."""

    def hook(step, state, metrics):
        checkpointer.save(step, state, iterator)

    return outputs.throughput.paused(hook)
