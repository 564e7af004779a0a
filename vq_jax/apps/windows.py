"""Windows over the code grid of an image that is larger than a model's."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int


class Windows(NamedTuple):
    """Windows over an axis.

    Attributes:
        starts: where each begins.
        owners: of each position, the number of the window whose middle is nearest.
    """

    starts: Int[np.ndarray, "n"]
    owners: Int[np.ndarray, "length"]


def windows(length: int, side: int) -> Windows:
    """Windows of `side` positions over an axis of `length`, evenly spread.

    Neighbours share half of a window or more. Of two that are as near, the first owns a
    position.

    Args:
        length: `side` or more.
        side: positions of a window.
    """
    step = max(1, side // 2)
    count = -(-(length - side) // step) + 1
    starts = np.round(np.linspace(0, length - side, count)).astype(int)
    middles = starts + (side - 1) / 2
    owners = np.abs(np.arange(length)[:, None] - middles[None]).argmin(axis=1)
    return Windows(starts, owners)
