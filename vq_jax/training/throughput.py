"""How fast a run trains, and how much of the time it waits for its input."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax


class Pace(NamedTuple):
    """Of the steps of some stretch of training.

    Attributes:
        images_per_second: over all devices and processes.
        input_stall: share of the time that the devices of this process had nothing to
            do but wait for a batch, in [0, 1].
    """

    images_per_second: float
    input_stall: float


class Throughput:
    """The pace of training alone, without the time of `paused` functions.

    A batch is waited for while the devices compute the step before. Where they still do
    when it comes, nothing was lost. Where they have finished, all of the wait counts,
    since nobody knows when they did: the stall is measured from above.
    """

    def __init__(self, batch_size: int, step: int):
        self._batch_size = batch_size
        self._step, self._waited = step, 0.0
        self._since = time.perf_counter()
        self._newest = ()  # what the last step gives, or will

    def watched(self, step_fn: Callable) -> Callable:
        """The step, whose end tells a stall from a wait that costs nothing."""

        def wrapped(*args):
            state, self._newest = step_fn(*args)
            return state, self._newest

        return wrapped

    def paused(self, fn: Callable) -> Callable:
        def wrapped(*args):
            started = time.perf_counter()
            try:
                return fn(*args)
            finally:
                self._since += time.perf_counter() - started

        return wrapped

    def timed(self, batches: Iterator) -> Iterator:
        """The batches, each of which is waited for."""
        while True:
            started = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            finally:
                if all(x.is_ready() for x in jax.tree.leaves(self._newest)):
                    self._waited += time.perf_counter() - started
            yield batch

    def pace(self, step: int) -> Pace:
        """That of the steps since the last call; begins anew."""
        now = time.perf_counter()
        seconds = max(now - self._since, 1e-9)
        images = (step - self._step) * self._batch_size
        pace = Pace(images / seconds, min(self._waited / seconds, 1.0))
        self._step, self._since, self._waited = step, now, 0.0
        return pace
