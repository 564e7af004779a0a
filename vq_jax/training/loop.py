"""The training loop: one `for`. Everything else is a hook.

The device is given the next step before the host looks at what the last one said, so
that logging leaves no gap between them. Only what needs the state of a step has to come
before the next one, which takes it.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax


@dataclasses.dataclass(frozen=True)
class Every:
    """Calls `fn` every `steps` steps, and after the last one.

    Attributes:
        steps: interval in finished steps; 0 leaves only the last step.
        fn: takes the number of finished steps, the state if it is a hook, and that
            step's metrics as Python floats, all of them finite.
        on_stop: whether to call also when the run is interrupted.
    """

    steps: int
    fn: Callable
    on_stop: bool = False

    def due(self, step: int, *, last: bool, stopping: bool) -> bool:
        regular = self.steps > 0 and step % self.steps == 0
        return regular or last or (stopping and self.on_stop)


class _Step:
    """A step that the device has been given, and those who want its metrics.

    Attributes:
        number: of finished steps, this one included.
    """

    def __init__(self, number: int, metrics: Mapping, logs: Sequence[Every]):
        self.number, self._metrics, self._logs = number, metrics, logs

    @functools.cached_property
    def values(self) -> dict[str, float]:
        """Its metrics, fetched. Raises FloatingPointError where one is not finite."""
        fetched = jax.device_get(self._metrics)
        values = {name: float(value) for name, value in fetched.items()}
        _check_finite(values, self.number)
        return values

    def report(self) -> None:
        """Waits for the step; tells each of its logs, once."""
        jax.block_until_ready(self._metrics)
        logs, self._logs = self._logs, ()
        for log in logs:
            log.fn(self.number, self.values)


def train(
    step_fn: Callable,
    state,
    batches: Iterator,
    key,
    *,
    start_step: int,
    num_steps: int,
    hooks: Sequence[Every] = (),
    logs: Sequence[Every] = (),
    should_stop: Callable[[int], bool] = lambda step: False,
):
    """Runs steps start_step + 1 … num_steps; returns (state, finished steps).

    Metrics are fetched from the device only where something is due, and are those of
    that one step: an average over the steps since the last fetch could not be resumed.
    At most two steps are with the device, so that waiting for a batch is waiting for
    the input, and not for the device.

    Args:
        hooks: called as `fn(step, state, metrics)` after the logs of their step and
            before the next one.
        logs: called as `fn(step, metrics)` once the next step is under way; after the
            last one, before a hook of the same step, and where the run ends by an
            error, at once.

    Raises:
        FloatingPointError: a fetched metric is not finite; no hook sees that step or a
            later one, nor any log.
    """
    step, current = start_step, _Step(start_step, {}, ())
    try:
        while step < num_steps:
            state, metrics = step_fn(state, next(batches), key)
            step += 1
            last, stopping = step == num_steps, should_stop(step)
            due = functools.partial(_due, step=step, last=last, stopping=stopping)
            current.report()
            current = _Step(step, metrics, due(logs))
            now = due(hooks)
            if now:
                current.report()
            for hook in now:
                hook.fn(step, state, current.values)
            if stopping:
                break
    finally:
        current.report()
    return state, step


def _due(hooks: Sequence[Every], **when) -> list[Every]:
    return [hook for hook in hooks if hook.due(**when)]


def _check_finite(metrics: Mapping[str, float], step: int) -> None:
    bad = {name: value for name, value in metrics.items() if not math.isfinite(value)}
    if bad:
        listed = ", ".join(f"{name}={value}" for name, value in sorted(bad.items()))
        raise FloatingPointError(
            f"not finite at step {step}: {listed}. Checkpoints from before are kept; "
            "start in another --workdir with a lower config.optim.learning_rate or "
            "with config.optim.clip_norm=1.0."
        )
