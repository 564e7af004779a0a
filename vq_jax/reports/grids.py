"""Originals and their reconstructions in labelled columns, whole and enlarged."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from vq_jax.evaluation import pictures
from vq_jax.reports import zoom

ORIGINAL = "original"
PANEL = 192  # pixels, which small pictures are enlarged to about
ZOOM = 4  # of details
MIN_SIDE = 32  # pixels of a detail: of fewer, nobody knows what they show
BAND = 5  # columns beside the originals; more go below, beside the originals again
GAP = 4  # white pixels between pictures
HEADER = 20  # height of the labels above the columns


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
