"""The report of `vq-jax compare`: what differs, numbers, curves, pictures."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from jaxtyping import UInt8
from ml_collections import ConfigDict

from vq_jax.evaluation import compare_tables, curves, document, pictures, zoom

ORIGINAL = "original"
PANEL = 192  # pixels, which small pictures are enlarged to about
ZOOM = 4  # of details
MIN_SIDE = 32  # pixels of a detail: of fewer, nobody knows what they show


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Everything that the report says.

    Attributes:
        command: that made it.
        versions: of the libraries, by name.
        configs: by label; of the first seed.
        differences: see `config_diff.differences`.
        allowed: fields that were allowed to differ.
        results: of every run, with "config" (its label), "seed" and metrics.
        records: of every run, by label, in the order of seeds.
        originals: held-out images, uint8 [n, h, w, c].
        recons: theirs by label, of the first seed.
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
    """Writes `report.html`, alone sufficient, and `report.md` with its pictures."""
    folder = epath.Path(folder)
    split = next(iter(compared.configs.values())).data.eval_split
    figure = curves.write_figure(folder / "curves.png", compared.records, split)
    whole, zoomed = picture_rows(compared.originals, compared.recons)
    rows = pictures.write_png(folder / "pictures.png", whole)
    details = pictures.write_png(folder / "details.png", zoomed)
    blocks = [
        *_introduction(compared),
        *_numbers(compared.results),
        document.Heading("Curves"),
        document.Picture(figure, "Metrics and losses over the steps of training"),
        *_pictures(compared, rows, details),
    ]
    written = folder / "report.html", folder / "report.md"
    written[0].write_text(document.self_contained_html(blocks))
    written[1].write_text(document.markdown(blocks))
    return list(written)


def picture_rows(
    originals: UInt8[np.ndarray, "n h w c"],
    recons: Mapping[str, UInt8[np.ndarray, "n h w c"]],
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of original | A | B: whole, and enlarged where they have the most detail.

    The place is chosen on the original, and framed there in the first of the two.
    """
    side, times = _detail_size(originals.shape[1])
    factor = max(1, PANEL // originals.shape[1])
    corners = [zoom.detail_corner(image, side) for image in originals]
    columns = {ORIGINAL: originals, **recons}
    whole, zoomed = {}, {}
    for label, images in columns.items():
        colour = pictures.to_rgb(images)
        pairs = list(zip(colour, corners, strict=True))
        whole[label] = [zoom.enlarge(image, factor) for image in colour]
        zoomed[label] = [
            zoom.enlarge(zoom.crop(image, corner, side), factor * times)
            for image, corner in pairs
        ]
    whole[ORIGINAL] = [
        zoom.frame(image, (top * factor, left * factor), side * factor)
        for image, (top, left) in zip(whole[ORIGINAL], corners, strict=True)
    ]
    return zoom.labelled_columns(whole), zoom.labelled_columns(zoomed)


def _detail_size(size: int) -> tuple[int, int]:
    """The side of a detail of a picture of `size` pixels, and how much it is enlarged:
    a quarter by ZOOM, or half by 2 where a quarter has too few pixels."""
    times = ZOOM if size >= ZOOM * MIN_SIDE else 2
    return size // times, times


def _introduction(compared: Comparison) -> list[document.Block]:
    versions = ", ".join(f"{name} {v}" for name, v in compared.versions.items())
    what = "The data, the generator, the batch size and the steps do not differ."
    if compared.allowed:
        what = f"By --allow these may differ, too: {', '.join(compared.allowed)}."
    labels = list(compared.configs)
    return [
        document.Heading(" against ".join(labels), level=1),
        document.Paragraph(_protocol(compared)),
        document.Code(compared.command),
        document.Paragraph(f"Made with {versions}."),
        document.Heading("What differs"),
        document.Paragraph(what),
        compare_tables.differences_table(compared.differences, labels),
    ]


def _protocol(compared: Comparison) -> str:
    data = next(iter(compared.configs.values())).data
    seeds = list(dict.fromkeys(str(r["seed"]) for r in compared.results))
    counts = dict.fromkeys(f"{r['num_images']:,}" for r in compared.results)
    steps, batch_size, splits = (
        " or ".join(dict.fromkeys(str(value) for value in values))
        for values in zip(
            *(
                (f"{config.num_steps:,}", config.batch_size, config.data.train_split)
                for config in compared.configs.values()
            ),
            strict=True,
        )
    )
    origins = {config.init_from for config in compared.configs.values()} - {""}
    began = (
        f" Began with the model of {' or '.join(sorted(origins))}." if origins else ""
    )
    return (
        f"Trained {steps} steps on batches of {batch_size} images of {data.image_size} "
        f"x {data.image_size} pixels: {data.source}, split {splits}; "
        f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(seeds)}. Evaluated "
        f"on {' or '.join(counts)} held-out images, split {data.eval_split}."
        f"{began}"
    )


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
        compare_tables.results_table(results),
    ]
    return blocks if len(seeds) == 1 else [*blocks, compare_tables.seeds_table(results)]


def _pictures(compared: Comparison, rows, details) -> list[document.Block]:
    listed = " | ".join([ORIGINAL, *compared.recons])
    seed = compared.results[0]["seed"]
    _, times = _detail_size(compared.originals.shape[1])
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
