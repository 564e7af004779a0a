"""Scalars and images of a run: `metrics.jsonl` and TensorBoard."""

import json
import sys

import numpy as np
from etils import epath
from PIL import Image


class MetricsWriter:
    """Writes a run's records; on resuming, drops what lies after the checkpoint.

    `metrics.jsonl` has one JSON object a line, with "step" and float values. Names that
    start with "perf/" depend on the machine; all others are reproducible.
    """

    def __init__(self, workdir: epath.PathLike, *, start_step: int):
        self._workdir = epath.Path(workdir)
        self._path = self._workdir / "metrics.jsonl"
        kept = _records_until(self._path, start_step)
        self._path.write_text("".join(kept))
        self._board = _summary_writer()(str(self._workdir), purge_step=start_step + 1)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def image(self, step: int, name: str, image: np.ndarray) -> epath.Path:
        """Writes uint8 [h, w, 3] to `images/NAME_STEP.png` and to TensorBoard."""
        folder = self._workdir / "images"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}_{step:07d}.png"
        with path.open("wb") as file:
            Image.fromarray(image).save(file, format="PNG")
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


def _records_until(path: epath.Path, step: int) -> list[str]:
    """The whole lines of steps up to `step`; a killed process may leave half a line."""
    if not path.exists():
        return []
    kept = []
    for line in path.read_text().splitlines(keepends=True):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            break
        if record["step"] <= step and line.endswith("\n"):
            kept.append(line)
    return kept
