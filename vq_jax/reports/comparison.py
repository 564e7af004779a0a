"""A comparison from its runs to its report."""

from collections.abc import Sequence
from importlib import metadata

from etils import epath
from rich.console import Console

import vq_jax
from vq_jax.data import pipeline
from vq_jax.inference.tokenizer import Tokenizer
from vq_jax.reports import fairness, figures, report, zoom
from vq_jax.reports.runs import Run, check_all, result, train_all
from vq_jax.workdirs import metrics
from vq_jax.workdirs.files import write_json

NUM_IMAGES = 6
CANDIDATES = 8  # held-out images that each of them is chosen from


def compare(
    runs: Sequence[Run],
    workdir: epath.PathLike,
    *,
    allowed: Sequence[str],
    command: str,
    console: Console,
) -> int:
    """Trains what is missing, then writes the report into `workdir`.

    Args:
        allowed: fields that may differ although they are part of the protocol; see
            `fairness.check_fair`.
        command: what the report quotes.

    Returns:
        0, or the number of the signal that stopped a run.

    Raises:
        InputError: a run can not be trained, or the comparison would not be fair.
    """
    figures.check_installed()
    workdir = epath.Path(workdir)
    configs = {run.label: run.config for run in _first_seed(runs)}
    differences = fairness.check_fair(configs, allowed)
    check_all(runs)
    signal = train_all(runs, console)
    if signal:
        return signal
    by_label = {n: [run for run in runs if run.label == n] for n in configs}
    originals, recons = _pictures(_first_seed(runs))
    compared = report.Comparison(
        command=command,
        versions={"vq_jax": vq_jax.__version__}
        | {name: metadata.version(name) for name in ("jax", "flax")},
        configs=configs,
        differences=differences,
        allowed=allowed,
        results=[result(run) for own in by_label.values() for run in own],
        records={
            label: [metrics.read(run.workdir) for run in own]
            for label, own in by_label.items()
        },
        originals=originals,
        recons=recons,
    )
    write_json(workdir / "report.json", {"runs": compared.results})
    for path in report.write(workdir, compared):
        console.print(f"wrote {path}", soft_wrap=True)
    return 0


def _first_seed(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.seed == runs[0].seed]


def _pictures(runs: Sequence[Run]):
    """Held-out images with detail, and by label what the runs make of them.

    Of a family of several sizes it is the last, which is the largest.
    """
    data = runs[0].config.data
    spread = pipeline.spread_images(data, data.eval_split, NUM_IMAGES * CANDIDATES)
    images = zoom.most_detailed(spread, NUM_IMAGES)
    recons = {}
    for run in {run.family: run for run in runs}.values():
        tokenizer = Tokenizer.load(run.workdir, chunk_size=NUM_IMAGES)
        recons[run.label] = tokenizer.reconstruct(images)
    return images, recons
