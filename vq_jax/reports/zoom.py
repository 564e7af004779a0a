"""Pictures with the most detail, their most detailed part, and whole-pixel zoom."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

FRAME = (255, 0, 255)


def most_detailed(
    images: UInt8[np.ndarray, "n h w c"], count: int
) -> UInt8[np.ndarray, "count h w c"]:
    """From each of `count` runs of consecutive images the one with the most detail.

    Detail is that of `detail_corner`; ties to the first. Fewer images are all taken.
    """
    groups = np.array_split(images, min(count, len(images)))
    return np.stack(
        [group[np.argmax([_detail(i).sum() for i in group])] for group in groups]
    )


def detail_corner(image: UInt8[np.ndarray, "h w c"], size: int) -> tuple[int, int]:
    """(top, left) of the `size` x `size` square with the most detail.

    Detail of a pixel is its squared differences from the pixels right of it and below
    it, of the sums over channels; in integers, so that it is the same on every machine.
    Ties to the first, row by row.
    """
    sums = _window_sums(_detail(image), size)
    return tuple(map(int, np.unravel_index(np.argmax(sums), sums.shape)))


def crop(
    image: UInt8[np.ndarray, "h w c"], corner: tuple[int, int], size: int
) -> UInt8[np.ndarray, "size size c"]:
    """The square of `size` pixels whose top left pixel is `corner`."""
    top, left = corner
    return image[top : top + size, left : left + size]


def enlarge(
    image: UInt8[np.ndarray, "h w c"], factor: int
) -> UInt8[np.ndarray, "h2 w2 c"]:
    """Every pixel as a square of `factor` x `factor`."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def frame(
    image: UInt8[np.ndarray, "h w 3"], corner: tuple[int, int], size: int
) -> UInt8[np.ndarray, "h w 3"]:
    """The image with a line around the square of `size` pixels at `corner`."""
    (top, left), drawn = corner, Image.fromarray(image)
    box = (left, top, left + size - 1, top + size - 1)
    ImageDraw.Draw(drawn).rectangle(box, outline=FRAME)
    return np.asarray(drawn)


def _detail(image: UInt8[np.ndarray, "h w c"]) -> np.ndarray:
    """Squared differences of neighbours, [h, w]; none beyond the edges."""
    values = image.astype(np.int64).sum(axis=-1)
    right = np.diff(values, axis=1, append=values[:, -1:])
    below = np.diff(values, axis=0, append=values[-1:])
    return right**2 + below**2


def _window_sums(values: np.ndarray, size: int) -> np.ndarray:
    """Sums over all squares of `size`, from sums over all rectangles at the origin."""
    corner = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    rows = corner[size:] - corner[:-size]
    return rows[:, size:] - rows[:, :-size]
