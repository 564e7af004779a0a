"""Originals and their reconstructions in labelled columns, whole and enlarged."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from vq_jax.data import pipeline
from vq_jax.evaluation import pictures
from vq_jax.inference.tokenizer import Tokenizer
from vq_jax.reports import zoom
from vq_jax.reports.runs import Run

NUM_IMAGES = 6
CANDIDATES = 8  # held-out images that each of them is chosen from
ORIGINAL = "original"
PANEL = 192  # pixels, which small pictures are enlarged to about
ZOOM = 4  # of details
MIN_SIDE = 32  # pixels of a detail: of fewer, nobody knows what they show
BAND = 5  # columns beside the originals; more go below, beside the originals again
GAP = 4  # white pixels between pictures
HEADER = 20  # height of the labels above the columns


def reconstructions(runs: Sequence[Run]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Held-out images with detail, and by label what the runs make of them.

    Of a family of several sizes it is the last run, which has the most codes.
    """
    data = runs[0].config.data
    spread = pipeline.spread_images(data, data.eval_split, NUM_IMAGES * CANDIDATES)
    images = zoom.most_detailed(spread, NUM_IMAGES)
    recons = {}
    for run in {run.family: run for run in runs}.values():
        tokenizer = Tokenizer.load(run.workdir, chunk_size=NUM_IMAGES)
        recons[run.label] = tokenizer.reconstruct(images)
    return images, recons


def picture_rows(
    originals: UInt8[np.ndarray, "n h w c"],
    recons: Mapping[str, UInt8[np.ndarray, "n h w c"]],
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of original | A | B …: whole, and enlarged where they have the most detail.

    The place is chosen on the original, and framed there in the first of the two.
    """
    side, times = detail_size(originals.shape[1])
    factor = max(1, PANEL // originals.shape[1])
    corners = [zoom.detail_corner(image, side) for image in originals]
    whole, zoomed = {}, {}
    for label, images in {ORIGINAL: originals, **recons}.items():
        images = pictures.to_rgb(images)
        parts = map(zoom.crop, images, corners, [side] * len(images))
        whole[label] = [zoom.enlarge(image, factor) for image in images]
        zoomed[label] = [zoom.enlarge(part, factor * times) for part in parts]
    whole[ORIGINAL] = [
        zoom.frame(image, (top * factor, left * factor), side * factor)
        for image, (top, left) in zip(whole[ORIGINAL], corners, strict=True)
    ]
    return _in_bands(whole), _in_bands(zoomed)


def detail_size(size: int) -> tuple[int, int]:
    """The side of a detail of a picture of `size` pixels, and how much it is enlarged:
    a quarter by ZOOM, or half by 2 where a quarter has too few pixels."""
    times = ZOOM if size >= ZOOM * MIN_SIDE else 2
    return size // times, times


def labelled_columns(
    columns: dict[str, list[UInt8[np.ndarray, "h w 3"]]],
) -> UInt8[np.ndarray, "height width 3"]:
    """Label -> pictures of one size, as columns with their label above them."""
    padding = ((0, GAP), (0, GAP), (0, 0))
    made = []
    for label, images in columns.items():
        padded = [np.pad(image, padding, constant_values=255) for image in images]
        header = Image.new("RGB", (padded[0].shape[1], HEADER), "white")
        ImageDraw.Draw(header).text((2, HEADER // 2 - 6), label, fill="black")
        made.append(np.concatenate([np.asarray(header), *padded]))
    return np.concatenate(made, axis=1)


def _in_bands(
    columns: Mapping[str, Sequence[np.ndarray]],
) -> UInt8[np.ndarray, "height width 3"]:
    """`labelled_columns`, where many become several rows of columns."""
    first, *others = columns.items()
    bands = [
        labelled_columns(dict([first, *others[start : start + BAND]]))
        for start in range(0, len(others), BAND)
    ]
    width = bands[0].shape[1]
    padding = [((0, 0), (0, width - band.shape[1]), (0, 0)) for band in bands]
    padded = map(functools.partial(np.pad, constant_values=255), bands, padding)
    return np.concatenate(list(padded))
