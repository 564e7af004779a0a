from fractions import Fraction

import numpy as np
import pytest

from vq_jax.ops.halton import halton_order


@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (5, 1), (3, 5), (7, 7), (16, 24)])
def test_every_cell_is_visited_once(grid):
    order = halton_order(*grid)
    np.testing.assert_array_equal(np.sort(order), np.arange(grid[0] * grid[1]))


def _mirrored(number, base):
    value, place = Fraction(0), Fraction(1, base)
    while number:
        value, number, place = (
            value + number % base * place,
            number // base,
            place / base,
        )
    return value


def test_cells_are_those_of_the_halton_points_in_bases_2_and_3():
    height, width, expected = 6, 9, []
    for i in range(1, 2_000):
        row = int(_mirrored(i, 2) * height)
        cell = row * width + int(_mirrored(i, 3) * width)
        if cell not in expected:
            expected.append(cell)
    np.testing.assert_array_equal(halton_order(height, width), expected)
    assert expected[0] == 3 * width + 3  # (1/2, 1/3)


def test_the_first_cells_are_spread_over_the_grid():
    """Raster order puts all of them into the upper half, and chance differs by more."""
    order = halton_order(16, 16)
    for first in (16, 32, 64, 128):
        rows, columns = np.divmod(order[:first], 16)
        quadrant = 2 * (rows // 8) + columns // 8
        shares = np.bincount(quadrant, minlength=4) / first
        assert np.abs(shares - 1 / 4).max() < 0.07
