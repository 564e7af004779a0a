"""The runs of a comparison: checked together, trained one after the other."""

import dataclasses
import math
from collections.abc import Sequence

from etils import epath
from ml_collections import ConfigDict
from rich.console import Console

from vq_jax.models.build import build_autoencoder
from vq_jax.pretrained.nets import load
from vq_jax.reports.tables import SIZE
from vq_jax.training import run as training_run
from vq_jax.training import setup
from vq_jax.workdirs import checkpoint, files, metrics


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        label: of its configuration, in the report.
        family: runs of one family are joined by a line in the figure over sizes of the
            codebook; the label, where there is nothing to join.
        seed: of the run.
        config: its configuration, locked.
        workdir: its folder.
    """

    label: str
    family: str
    seed: int
    config: ConfigDict
    workdir: epath.Path


def check_all(runs: Sequence[Run]) -> None:
    """Finds what is wrong with any of the runs, before hours of training.

    Raises:
        InputError: as `run.train` does for configuration, data and weights; or a folder
            has checkpoints of another experiment, of another `num_steps` too.
    """
    described, nets = [], {}
    for run in runs:
        prepared = setup.prepare(run.config)
        nets |= prepared.nets
        if run.config.data not in described:
            prepared.task.describe_data()
            described.append(run.config.data)
        if not finished(run):
            checkpoint.check_same_experiment(run.workdir, run.config)
    load(nets)


def train_all(runs: Sequence[Run], console: Console) -> int:
    """Trains what is missing; returns 0, or the number of the signal that came."""
    for number, run in enumerate(runs, 1):
        if finished(run):
            continue
        console.print(f"run {number} of {len(runs)}: {run.workdir}", soft_wrap=True)
        signal = training_run.train(run.config, run.workdir, console)
        if signal:
            return signal
    return 0


def finished(run: Run) -> bool:
    """Whether this very configuration has been saved and evaluated at its last step."""
    split, step = run.config.data.eval_split, run.config.num_steps
    if not files.same_config(run.workdir, run.config):
        return False
    if step not in checkpoint.saved_steps(run.workdir):
        return False
    return metrics.evaluation(metrics.read(run.workdir), split, step) is not None


def result(run: Run) -> dict:
    """What a finished run is, and its metrics at the last step."""
    split, step = run.config.data.eval_split, run.config.num_steps
    return {
        "config": run.label,
        "family": run.family,
        "seed": run.seed,
        SIZE: bits_per_position(run.config),
        **metrics.result(metrics.read(run.workdir), split, step),
    }


def bits_per_position(config: ConfigDict) -> float | None:
    """log2 of the number of codes that a position can have, all its tokens together.

    None for a model without codes.
    """
    model = build_autoencoder(config.model, channels=config.data.channels)
    if not model.quantizer.codebook_size:
        return None
    size = config.data.image_size
    tokens, positions = (
        math.prod(shape(size, size)) for shape in (model.tokens_shape, model.grid_size)
    )
    return tokens * math.log2(model.quantizer.codebook_size) / positions
