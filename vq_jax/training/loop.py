"""The training loop: one `for`. Everything else is a hook."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax


@dataclasses.dataclass(frozen=True)
class Every:
    """Calls `fn(step, state, metrics)` every `steps` steps, and after the last one.

    Attributes:
        steps: interval in finished steps; 0 leaves only the last step.
        fn: takes the number of finished steps, the state, and that step's metrics as
            Python floats, all of them finite.
        on_stop: whether to call also when the run is interrupted.
    """

    steps: int
    fn: Callable
    on_stop: bool = False

    def due(self, step: int, *, last: bool, stopping: bool) -> bool:
        regular = self.steps > 0 and step % self.steps == 0
        return regular or last or (stopping and self.on_stop)


def train(
    step_fn: Callable,
    state,
    batches: Iterator,
    key,
    *,
    start_step: int,
    num_steps: int,
    hooks: Sequence[Every],
    should_stop: Callable[[int], bool] = lambda step: False,
):
    """Runs steps start_step + 1 … num_steps; returns (state, finished steps).

    Metrics are fetched from the device only where a hook is due, and are those of that
    one step: an average over the steps since the last fetch could not be resumed.

    Raises:
        FloatingPointError: a fetched metric is not finite; no hook sees that step.
    """
    step = start_step
    while step < num_steps:
        state, metrics = step_fn(state, next(batches), key)
        step += 1
        last, stopping = step == num_steps, should_stop(step)
        due = [hook for hook in hooks if hook.due(step, last=last, stopping=stopping)]
        if due:
            values = {name: float(v) for name, v in jax.device_get(metrics).items()}
            _check_finite(values, step)
            for hook in due:
                hook.fn(step, state, values)
        if stopping:
            break
    return state, step


def _check_finite(metrics: Mapping[str, float], step: int) -> None:
    bad = {name: value for name, value in metrics.items() if not math.isfinite(value)}
    if bad:
        listed = ", ".join(f"{name}={value}" for name, value in sorted(bad.items()))
        raise FloatingPointError(
            f"not finite at step {step}: {listed}. Checkpoints from before are kept; "
            "start in another --workdir with a lower config.optim.learning_rate or "
            "with config.optim.clip_norm=1.0."
        )
