"""Writes the metrics and pictures of a run: `metrics.jsonl`, PNGs and TensorBoard."""

import sys

import numpy as np
from etils import epath

from vq_jax.evaluation import pictures
from vq_jax.workdirs import metrics
from vq_jax.workdirs.files import writing


class MetricsWriter:
    """On resuming, drops first what was logged after the checkpoint."""

    def __init__(self, workdir: epath.PathLike, *, start_step: int):
        self._workdir = epath.Path(workdir)
        metrics.drop_after(self._workdir, start_step)
        self._board = _summary_writer()(str(self._workdir), purge_step=start_step + 1)

    def scalars(self, step: int, values: dict[str, float | int]) -> None:
        metrics.append(self._workdir, step, values)
        with writing(self._workdir):
            for name, value in values.items():
                self._board.add_scalar(name, value, step)
            # At once: what a killed process had not written would not come again.
            self._board.flush()

    def image(self, step: int, name: str, image: np.ndarray) -> epath.Path:
        """Writes uint8 [h, w, 3] to `images/NAME_STEP.png` and to TensorBoard."""
        path = self._workdir / "images" / f"{name}_{step:07d}.png"
        with writing(path):
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
