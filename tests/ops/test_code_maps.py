"""Maps of pixels have what the codes have, where these are."""

import numpy as np

from vq_jax.ops.code_maps import pixel_density


def test_a_map_adds_up_to_its_grids_wherever_cells_end():
    rng = np.random.default_rng(0)
    grids = [rng.random((2, *shape)) for shape in ((1, 1), (3, 2), (5, 7))]
    found = pixel_density(grids, 8, 7)
    expected = sum(grid.sum(axis=(1, 2)) for grid in grids)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), expected, rtol=1e-5)


def test_a_code_has_the_pixels_of_its_place():
    grid = np.arange(6.0).reshape(1, 2, 3)
    found = pixel_density([grid], 8, 12)
    np.testing.assert_allclose(found, np.kron(grid, np.ones((1, 4, 4))) / 16)
