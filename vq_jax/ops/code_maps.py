"""Numbers of codes as maps of pixels."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def pixel_density(
    grids: Sequence[Float[np.ndarray, "n _ _"]], height: int, width: int
) -> Float[np.ndarray, "n {height} {width}"]:
    """What the codes of several grids have, spread over the pixels that they span.

    A code shares its number evenly among its pixels, those of the same part of the
    image as its place is of its grid; so a map adds up to the sum of all grids. Grids
    have no more rows and columns than the image.
    """
    found = np.zeros((len(grids[0]), height, width), np.float32)
    for grid in grids:
        row = np.arange(height) * grid.shape[1] // height
        column = np.arange(width) * grid.shape[2] // width
        areas = np.outer(np.bincount(row), np.bincount(column))
        found += (grid / areas[None])[:, row[:, None], column[None]]
    return found
