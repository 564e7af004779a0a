import numpy as np
import pytest

from vq_jax.reports import grids, zoom


def _images(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("size", "channels", "side", "times"),
    [(32, 3, 16, 2), (28, 1, 14, 2), (64, 3, 32, 2), (256, 3, 64, 4)],
)
def test_rows_have_the_same_part_of_every_column(size, channels, side, times):
    shape = (2, size, size, channels)
    originals = np.full(shape, 128, np.uint8)
    originals[:, 2 * size // 3, size // 2] = 255
    recons = {"a": _images(0, *shape), "b": _images(1, *shape)}
    whole, zoomed = grids.picture_rows(originals, recons)
    factor = max(1, grids.PANEL // size)
    left = factor * size + grids.GAP
    panel = whole[grids.HEADER :, left:][: factor * size, : factor * size]
    expected = np.broadcast_to(recons["a"][0], (size, size, 3))
    np.testing.assert_array_equal(panel[::factor, ::factor], expected)
    top, corner_left = zoom.detail_corner(originals[0], side)
    step = factor * times
    panel = zoomed[grids.HEADER :, step * side + grids.GAP :]
    panel = panel[: step * side : step, : step * side : step]
    part = expected[top : top + side, corner_left : corner_left + side]
    np.testing.assert_array_equal(panel, part)


def test_many_columns_become_bands_that_begin_with_the_originals():
    images = {f"run {i}": _images(i, 2, 256, 256, 3) for i in range(grids.BAND + 2)}
    whole, zoomed = grids.picture_rows(_images(99, 2, 256, 256, 3), images)
    column = 256 + grids.GAP
    for grid in (whole, zoomed):
        bands = np.split(grid, 2)
        assert grid.shape[1] == (1 + grids.BAND) * column
        np.testing.assert_array_equal(bands[0][:, :column], bands[1][:, :column])
        assert (bands[1][:, 3 * column :] == 255).all()
    last = images[f"run {grids.BAND + 1}"][0]
    shown = np.split(whole, 2)[1][grids.HEADER :, 2 * column :][:256, :256]
    np.testing.assert_array_equal(shown, last)


def test_columns_keep_their_pictures_below_their_label():
    first, second = _images(1, 30, 40, 3), _images(2, 30, 40, 3)
    grid = grids.labelled_columns({"a": [first, second], "b": [second, first]})
    assert grid.shape == (grids.HEADER + 2 * (30 + grids.GAP), 2 * (40 + grids.GAP), 3)
    top, left = grids.HEADER, 40 + grids.GAP
    np.testing.assert_array_equal(grid[top : top + 30, :40], first)
    np.testing.assert_array_equal(grid[top : top + 30, left : left + 40], second)
    assert (grid[:top] < 255).any()
