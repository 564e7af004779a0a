"""Who sees whom where an image is predicted grid by grid, from coarse to fine."""

import numpy as np
from jaxtyping import Bool, Int


def level_of_token(grids: tuple[tuple[int, int], ...]) -> Int[np.ndarray, "t"]:
    """The number of the grid that each token of the sequence lies on, int32."""
    areas = [height * width for height, width in grids]
    return np.repeat(np.arange(len(grids), dtype=np.int32), areas)


def block_causal_mask(grids: tuple[tuple[int, int], ...]) -> Bool[np.ndarray, "t t"]:
    """True where a token (row) sees another one: of its own grid or a coarser one.

    The mask of next-scale prediction (VAR 2404.02905, fig. 4): all tokens of a grid are
    predicted at once, from coarser grids.
    """
    level = level_of_token(grids)
    return level[:, None] >= level[None, :]
