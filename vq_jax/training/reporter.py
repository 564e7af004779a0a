"""Where a run reports: terminal, `metrics.jsonl`, TensorBoard, pictures."""

import contextlib
from collections.abc import Iterator

import jax
import numpy as np
from etils import epath
from rich.console import Console

from vq_jax.training.display import Display
from vq_jax.training.metrics_writer import MetricsWriter
from vq_jax.training.throughput import Throughput
from vq_jax.workdirs.metrics import IMAGES_PER_SECOND, INPUT_STALL


class Reporter:
    """Reports of one run; only the first process of several writes files.

    `shown` names the metrics on the line of progress.
    """

    def __init__(
        self,
        workdir: epath.Path,
        console: Console,
        *,
        start_step: int,
        num_steps: int,
        batch_size: int,
        shown: tuple[str, ...],
    ):
        self.workdir = workdir
        self.display = Display(console, num_steps=num_steps, shown=shown)
        self.throughput = Throughput(batch_size, start_step)
        self._num_steps, self._batch_size = num_steps, batch_size
        self._writer = None
        if jax.process_index() == 0:
            self._writer = MetricsWriter(workdir, start_step=start_step)

    def scalars(self, step: int, values: dict[str, float | int]) -> None:
        if self._writer:
            self._writer.scalars(step, values)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        if self._writer:
            self._writer.image(step, name, image)

    def progress(self, step: int, metrics: dict[str, float]) -> None:
        """Logs a step's metrics with the pace since the last call."""
        pace = self.throughput.pace(step)
        perf = {
            IMAGES_PER_SECOND: pace.images_per_second,
            INPUT_STALL: pace.input_stall,
        }
        self.scalars(step, {**metrics, **perf})
        images = (self._num_steps - step) * self._batch_size
        left = images / max(pace.images_per_second, 1e-9)
        self.display.step(step, metrics, pace, left)

    @contextlib.contextmanager
    def running(self, step: int) -> Iterator[None]:
        """Shows progress and counts time while training runs; then closes files."""
        self.display.start(step)
        self.throughput.pace(step)
        try:
            yield
        finally:
            self.display.close()
            if self._writer:
                self._writer.close()
