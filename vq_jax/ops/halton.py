"""The cells of a grid in the order of a Halton sequence, which spreads them evenly."""

import numpy as np
from jaxtyping import Int


def halton_order(height: int, width: int) -> Int[np.ndarray, "n"]:
    """All cells, row by row numbered, in the order that they are visited, each once.

    Point i of the sequence is (φ₂(i), φ₃(i)) for i = 1, 2, …, where φ_b mirrors the
    digits of i to base b at the point; it lies in row ⌊φ₂ · height⌋ and column
    ⌊φ₃ · width⌋. Cells that were visited before are left out (Halton-MaskGIT,
    2503.17076). Of any first cells, each part of the grid has about its share.
    """
    cells, num_points = height * width, 4 * height * width
    while True:
        points = np.arange(1, num_points + 1)
        rows, columns = _cell(points, 2, height), _cell(points, 3, width)
        visited, first = np.unique(rows * width + columns, return_index=True)
        if len(visited) == cells:
            return visited[np.argsort(first)]
        num_points *= 2


def _cell(points, base: int, size: int):
    """⌊φ_base · size⌋, in integers, so that none is off by rounding."""
    mirrored, denominator = np.zeros_like(points), 1
    while points.any():
        points, digit = np.divmod(points, base)
        mirrored = mirrored * base + digit
        denominator *= base
    return mirrored * size // denominator
