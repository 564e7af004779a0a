"""Scalars and images of a run: `metrics.jsonl` and TensorBoard."""

import json
import sys

import numpy as np
from etils import epath

from vq_jax.evaluation import pictures


class MetricsWriter:
    """Writes a run's records; on resuming, drops what lies after the checkpoint.

    `metrics.jsonl` has one JSON object a line, with "step" and float values. Names that
    start with "perf/" depend on the machine; all others are reproducible.
    """

    def __init__(self, workdir: epath.PathLike, *, start_step: int):
        self._workdir = epath.Path(workdir)
        self._path = self._workdir / "metrics.jsonl"
        _drop_records_after(self._path, start_step)
        self._board = _summary_writer()(str(self._workdir), purge_step=start_step + 1)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        # At once: what a killed process had not written would not come again.
        self._board.flush()

    def image(self, step: int, name: str, image: np.ndarray) -> epath.Path:
        """Writes uint8 [h, w, 3] to `images/NAME_STEP.png` and to TensorBoard."""
        path = self._workdir / "images" / f"{name}_{step:07d}.png"
        pictures.write_png(path, image)
        self._board.add_image(name, image, step, dataformats="HWC")
        return path

    def close(self) -> None:
        self._board.close()


def _summary_writer() -> type:
    """tensorboardX's writer, kept from importing torch wherever that is installed."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # an ImportError, which tensorboardX expects
    try:
        from tensorboardX import SummaryWriter
    finally:
        if hidden:
            del sys.modules["torch"]
    return SummaryWriter


def _drop_records_after(path: epath.Path, step: int) -> None:
    """Keeps whole lines of steps up to `step`; a kill may have left half a line."""
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    kept = []
    for line in lines:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            break
        if record["step"] <= step and line.endswith("\n"):
            kept.append(line)
    if len(kept) < len(lines):
        draft = path.with_name(f"{path.name}.draft")
        draft.write_text("".join(kept))
        draft.replace(path)
