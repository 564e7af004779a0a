"""What a run prints: a header, progress with an ETA, messages."""

import datetime
import time

from rich import progress
from rich.console import Console
from rich.table import Table


class Display:
    """A live bar on a terminal; elsewhere one plain line for each call.

    Attributes:
        console: where everything goes.
    """

    def __init__(self, console: Console, *, num_steps: int, shown: tuple[str, ...]):
        self.console = console
        self._num_steps, self._shown = num_steps, shown
        self._bar = None

    def header(self, rows: dict[str, str]) -> None:
        table = Table.grid(padding=(0, 2))
        for name, value in rows.items():
            table.add_row(name, value)
        self.console.print(table)

    def start(self, step: int) -> None:
        if self.console.is_terminal:
            self._bar = progress.Progress(
                progress.TextColumn("step"),
                progress.MofNCompleteColumn(),
                progress.BarColumn(),
                progress.TimeRemainingColumn(),
                progress.TextColumn("{task.fields[metrics]}"),
                console=self.console,
            )
            self._bar.start()
            self._task = self._bar.add_task(
                "", total=self._num_steps, completed=step, metrics="compiling …"
            )

    def step(self, step: int, metrics: dict[str, float], rate: float, eta: float):
        shown = " ".join(
            f"{name.removeprefix('train/')} {metrics[name]:.4g}"
            for name in self._shown
            if name in metrics
        )
        shown = f"{shown} · {rate:.1f} images/s"
        if self._bar:
            self._bar.update(self._task, completed=step, metrics=shown)
        else:
            left = datetime.timedelta(seconds=round(eta))
            self.message(f"step {step}/{self._num_steps} · {shown} · {left} left")

    def message(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def close(self) -> None:
        if self._bar:
            self._bar.stop()


class Throughput:
    """Images per second of training alone, without the time of `paused` functions."""

    def __init__(self, batch_size: int, step: int):
        self._batch_size = batch_size
        self._step = step
        self._since = time.perf_counter()

    def paused(self, fn):
        def wrapped(*args):
            started = time.perf_counter()
            try:
                return fn(*args)
            finally:
                self._since += time.perf_counter() - started

        return wrapped

    def rate(self, step: int) -> float:
        """Images per second since the last call; resets."""
        now = time.perf_counter()
        images = (step - self._step) * self._batch_size
        rate = images / max(now - self._since, 1e-9)
        self._step, self._since = step, now
        return rate
