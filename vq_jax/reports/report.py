"""The report of a comparison: what differs, numbers, curves, pictures."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import UInt8
from ml_collections import ConfigDict

from vq_jax.evaluation import pictures
from vq_jax.reports import curves, document, figures, grids, sizes, tables

MAX_TITLE = 4  # configurations that the title names


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Everything that the report says.

    Attributes:
        command: that made it.
        versions: of the libraries, by name.
        configs: by label; of the first seed.
        differences: see `fairness.differences`.
        allowed: fields that were allowed to differ.
        results: see `runs.result`; of every run.
        records: of every run, by label, in the order of seeds.
        originals: held-out images, uint8 [n, h, w, c].
        recons: theirs by label, of the first seed; some labels may be left out.
    """

    command: str
    versions: Mapping[str, str]
    configs: Mapping[str, ConfigDict]
    differences: Mapping[str, Mapping[str, Any]]
    allowed: Sequence[str]
    results: Sequence[dict]
    records: Mapping[str, Sequence[Sequence[dict]]]
    originals: UInt8[np.ndarray, "n h w c"]
    recons: Mapping[str, UInt8[np.ndarray, "n h w c"]]


def write(folder: epath.PathLike, compared: Comparison) -> list[epath.Path]:
    """Writes `report.html`, self-contained, and `report.md` beside its pictures."""
    folder = epath.Path(folder)
    blocks = [
        *_introduction(compared),
        *_numbers(compared.results),
        *(_sizes(folder, compared.results) if sizes.differ(compared.results) else []),
        *_curves(folder, compared),
        *_pictures(folder, compared),
    ]
    written = folder / "report.html", folder / "report.md"
    written[0].write_text(document.self_contained_html(blocks))
    written[1].write_text(document.markdown(blocks))
    return list(written)


def _introduction(compared: Comparison) -> list[document.Block]:
    versions = ", ".join(f"{name} {v}" for name, v in compared.versions.items())
    what = "The data, the generator, the batch size and the steps do not differ"
    if compared.allowed:
        what += f", but for what was allowed to: {', '.join(compared.allowed)}"
    labels = list(compared.configs)
    title = " against ".join(labels)
    if len(labels) > MAX_TITLE:
        title = f"{len(labels)} configurations, {labels[0]} to {labels[-1]}"
    return [
        document.Heading(title, level=1),
        document.Paragraph(_protocol(compared)),
        document.Code(compared.command),
        document.Paragraph(f"Made with {versions}."),
        document.Heading("What differs"),
        document.Paragraph(f"{what}."),
        tables.differences_table(compared.differences, labels),
    ]


def _protocol(compared: Comparison) -> str:
    configs = compared.configs.values()
    data = next(iter(configs)).data
    steps = _listed(f"{config.num_steps:,}" for config in configs)
    batch_size = _listed(config.batch_size for config in configs)
    splits = _listed(config.data.train_split for config in configs)
    seeds = _listed((r["seed"] for r in compared.results), ", ")
    count = _listed(f"{r['num_images']:,}" for r in compared.results)
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
    seeds = {r["seed"] for r in results}
    note = (
        "An arrow points to the better side. One seed is one sample: --seeds=0,1,2 "
        "tells how far seeds differ."
        if len(seeds) == 1
        else "An arrow points to the better side; means ± standard deviations (n - 1) "
        f"over {len(seeds)} seeds, then every seed."
    )
    blocks = [
        document.Heading("Numbers"),
        document.Paragraph(note),
        tables.results_table(results),
    ]
    return blocks if len(seeds) == 1 else [*blocks, tables.seeds_table(results)]


def _sizes(folder: epath.Path, results: Sequence[dict]) -> list[document.Block]:
    path = figures.save(folder / "sizes.png", sizes.figure(results))
    text = "Metrics against the number of codes a position, a line a family"
    return [document.Heading("Sizes of the codebook"), document.Picture(path, text)]


def _curves(folder: epath.Path, compared: Comparison) -> list[document.Block]:
    split = next(iter(compared.configs.values())).data.eval_split
    figure = curves.figure(compared.records, split)
    path = figures.save(folder / "curves.png", figure)
    text = "Metrics and losses over the steps of training"
    return [document.Heading("Curves"), document.Picture(path, text)]


def _pictures(folder: epath.Path, compared: Comparison) -> list[document.Block]:
    whole, zoomed = grids.picture_rows(compared.originals, compared.recons)
    rows = pictures.write_png(folder / "pictures.png", whole)
    details = pictures.write_png(folder / "details.png", zoomed)
    listed = " | ".join([grids.ORIGINAL, *compared.recons])
    seed = compared.results[0]["seed"]
    _, times = grids.detail_size(compared.originals.shape[1])
    return [
        document.Heading("Pictures"),
        document.Paragraph(
            f"Held-out images from all over the split, of seed {seed}: {listed}. They "
            "were chosen for the detail of the originals, and the frames, too."
        ),
        document.Picture(rows, f"Rows of {listed}", pixels=True),
        document.Heading("Details"),
        document.Paragraph(f"What the frames hold, {times} times as large: {listed}."),
        document.Picture(details, f"Zoomed rows of {listed}", pixels=True),
    ]
