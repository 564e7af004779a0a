"""The report of a comparison: what differs, numbers, curves, pictures."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from etils import epath

import vq_jax
from vq_jax.evaluation import pictures
from vq_jax.reports import curves, document, figures, grids, sizes, tables
from vq_jax.reports.runs import Run, result
from vq_jax.workdirs import metrics
from vq_jax.workdirs.files import write_json


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What the report is about.

    Attributes:
        command: that made it.
        runs: all of them, finished; of the first seed first.
        differences: see `fairness.check_fair`.
        allowed: fields that were allowed to differ.
    """

    command: str
    runs: Sequence[Run]
    differences: Mapping[str, Mapping[str, Any]]
    allowed: Sequence[str]


def write(folder: epath.PathLike, compared: Comparison) -> list[epath.Path]:
    """Writes `report.html`, self-contained, `report.md` beside its pictures, and the
    numbers as `report.json`."""
    folder, runs = epath.Path(folder), compared.runs
    shown = [run for run in runs if run.seed == runs[0].seed]
    by_label = {one.label: [r for r in runs if r.label == one.label] for one in shown}
    results = [result(run) for own in by_label.values() for run in own]
    blocks = [
        *_introduction(compared, results),
        *_numbers(results),
        *(_sizes(folder, results) if sizes.differ(results) else []),
        *_curves(folder, by_label),
        *_pictures(folder, shown),
    ]
    page, text = folder / "report.html", folder / "report.md"
    page.write_text(document.self_contained_html(blocks))
    text.write_text(document.markdown(blocks))
    return [page, text, write_json(folder / "report.json", {"runs": results})]


def _introduction(
    compared: Comparison, results: Sequence[dict]
) -> list[document.Block]:
    libraries = {name: metadata.version(name) for name in ("jax", "flax")}
    versions = {"vq_jax": vq_jax.__version__, **libraries}
    made_with = ", ".join(f"{name} {version}" for name, version in versions.items())
    same = "The data, the generator, the batch size and the steps do not differ"
    if compared.allowed:
        same += f", but for what was allowed to: {', '.join(compared.allowed)}"
    labels = list(dict.fromkeys(run.label for run in compared.runs))
    title = " against ".join(labels)
    if len(labels) > 4:
        title = f"{len(labels)} configurations, {labels[0]} to {labels[-1]}"
    return [
        document.Heading(title, level=1),
        document.Paragraph(_protocol(compared.runs, results)),
        document.Code(compared.command),
        document.Paragraph(f"Made with {made_with}."),
        document.Heading("What differs"),
        document.Paragraph(f"{same}."),
        tables.differences_table(compared.differences, labels),
    ]


def _protocol(runs: Sequence[Run], results: Sequence[dict]) -> str:
    configs, data = [run.config for run in runs], runs[0].config.data
    steps = _listed(f"{config.num_steps:,}" for config in configs)
    batch_size = _listed(config.batch_size for config in configs)
    splits = _listed(config.data.train_split for config in configs)
    seeds = _listed((run.seed for run in runs), ", ")
    count = _listed(f"{one['num_images']:,}" for one in results)
    origins = _listed(sorted({config.init_from for config in configs} - {""}))
    return (
        f"Trained {steps} steps on batches of {batch_size} images of {data.image_size} "
        f"x {data.image_size} pixels: {data.source}, split {splits}; "
        f"{'seeds' if ', ' in seeds else 'seed'} {seeds}. Evaluated on {count} "
        f"held-out images, split {data.eval_split}."
        + (f" Began with the model of {origins}." if origins else "")
    )


def _listed(values: Iterable, separator: str = " or ") -> str:
    """The different values."""
    return separator.join(dict.fromkeys(map(str, values)))


def _numbers(results: Sequence[dict]) -> list[document.Block]:
    count = len({one["seed"] for one in results})
    note = "An arrow points to the better side"
    if count == 1:
        note += ". One seed is one sample: --seeds=0,1,2 tells how far seeds differ."
    else:
        note += f"; means ± standard deviations (n - 1) over {count} seeds, then every "
        note += "seed."
    return [
        document.Heading("Numbers"),
        document.Paragraph(note),
        tables.results_table(results),
        *([tables.seeds_table(results)] if count > 1 else []),
    ]


def _sizes(folder: epath.Path, results: Sequence[dict]) -> list[document.Block]:
    path = figures.save(folder / "sizes.png", sizes.figure(results))
    text = "Metrics against the number of codes a position, a line a family"
    return [document.Heading("Sizes of the codebook"), document.Picture(path, text)]


def _curves(
    folder: epath.Path, by_label: Mapping[str, Sequence[Run]]
) -> list[document.Block]:
    recorded = {
        label: [metrics.read(run.workdir) for run in own]
        for label, own in by_label.items()
    }
    (split,) = {run.config.data.eval_split for own in by_label.values() for run in own}
    path = figures.save(folder / "curves.png", curves.figure(recorded, split))
    text = "Metrics and losses over the steps of training"
    return [document.Heading("Curves"), document.Picture(path, text)]


def _pictures(folder: epath.Path, runs: Sequence[Run]) -> list[document.Block]:
    originals, recons = grids.reconstructions(runs)
    whole, zoomed = grids.picture_rows(originals, recons)
    rows = pictures.write_png(folder / "pictures.png", whole)
    details = pictures.write_png(folder / "details.png", zoomed)
    listed = " | ".join([grids.ORIGINAL, *recons])
    _, times = grids.detail_size(originals.shape[1])
    return [
        document.Heading("Pictures"),
        document.Paragraph(
            f"Held-out images from all over the split, of seed {runs[0].seed}: "
            f"{listed}. They were chosen for the detail of the originals, and the "
            "frames, too."
        ),
        document.Picture(rows, f"Rows of {listed}", pixels=True),
        document.Heading("Details"),
        document.Paragraph(f"What the frames hold, {times} times as large: {listed}."),
        document.Picture(details, f"Zoomed rows of {listed}", pixels=True),
    ]
