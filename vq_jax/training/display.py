"""What a run prints: a header, progress with an ETA, messages."""

import datetime

from rich import progress
from rich.console import Console
from rich.table import Table

from vq_jax.training.throughput import Pace


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

    def step(self, step: int, metrics: dict[str, float], pace: Pace, eta: float):
        shown = " ".join(
            f"{name.removeprefix('train/')} {metrics[name]:.4g}"
            for name in self._shown
            if name in metrics
        )
        shown += f" · {pace.images_per_second:.1f} images/s"
        shown += f" · input stall {pace.input_stall:.1%}"
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
