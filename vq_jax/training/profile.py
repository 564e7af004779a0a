"""Traces of some steps by `jax.profiler`, to see where their time goes."""

from collections.abc import Callable
from typing import Annotated, TypedDict

import jax
from etils import epath
from ml_collections import ConfigDict

from vq_jax.config import ranges
from vq_jax.errors import InputError

FOLDER = "profile"


class ProfileFields(TypedDict):
    """The section `config.profile`.

    Attributes:
        start: number of the first step that is traced; the first of all is 1.
        steps: how many are; 0 for none.
    """

    start: Annotated[int, ranges.Range(1, 2**31 - 1)]
    steps: ranges.Steps


def traced_steps(config: ConfigDict) -> range:
    """Numbers of the steps of a run that are traced.

    Raises:
        InputError: they would not come.
    """
    start, steps = config.profile.start, config.profile.steps
    if steps and start > config.num_steps:
        raise InputError(
            f"config.profile.start={start} is beyond config.num_steps="
            f"{config.num_steps}, so no step would be traced; give an earlier one, or "
            "config.profile.steps=0."
        )
    return range(start, start + steps)


class Traced:
    """A step function that writes a trace of some of its calls; to be closed.

    Every call has the number of its step in a trace, whoever takes it.

    Args:
        step_fn: returns a state and metrics.
        steps: numbers of those that are traced.
        folder: where the trace goes, as TensorBoard's profiler and XProf read it.
        start_step: number of finished steps.
        say: takes a message when the trace is written.
    """

    def __init__(
        self,
        step_fn: Callable,
        steps: range,
        folder: epath.Path,
        *,
        start_step: int,
        say: Callable[[str], None],
    ):
        self._step_fn, self._folder, self._say = step_fn, folder, say
        self._traced = steps
        self._step, self._begun = start_step, 0

    def __call__(self, *args) -> tuple:
        self._step += 1
        if self._step in self._traced and not self._begun:
            jax.profiler.start_trace(str(self._folder))
            self._begun = self._step
        with jax.profiler.StepTraceAnnotation("train", step_num=self._step):
            state, metrics = self._step_fn(*args)
        if self._begun and self._step + 1 not in self._traced:
            jax.block_until_ready(metrics)  # the device's part belongs to the trace
            self.close()
        return state, metrics

    def close(self) -> None:
        """Writes the trace that has begun, if one has."""
        if not self._begun:
            return
        first, self._begun = self._begun, 0
        jax.profiler.stop_trace()
        self._say(f"wrote a trace of steps {first} to {self._step} to {self._folder}")
