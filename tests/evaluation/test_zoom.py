import hypothesis
import numpy as np
from hypothesis import strategies

from vq_jax.evaluation import zoom


def _images(seed, height, width, channels):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def _variances(image, size):
    """The definition: variance of every square, in float64."""
    grey = image.astype(np.float64).sum(-1)
    rows, columns = (n - size + 1 for n in grey.shape)
    return np.array(
        [
            [np.var(grey[i : i + size, j : j + size]) for j in range(columns)]
            for i in range(rows)
        ]
    )


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(
    seed=strategies.integers(0, 2**16),
    size=strategies.integers(2, 5),
    height=strategies.integers(5, 9),
    width=strategies.integers(5, 9),
)
def test_the_corner_is_that_of_the_largest_variance(seed, size, height, width):
    image = _images(seed, height, width, 3)
    variances = _variances(image, size)
    corner = zoom.detail_corner(image, size)
    np.testing.assert_allclose(variances[corner], variances.max(), rtol=1e-12)


def test_ties_go_to_the_first_square():
    assert zoom.detail_corner(np.full((8, 8, 1), 7, np.uint8), 3) == (0, 0)


def test_a_bright_large_image_does_not_overflow():
    image = np.full((512, 512, 3), 255, np.uint8)
    image[300:310, 400:410] = 0
    top, left = zoom.detail_corner(image, 128)
    assert top <= 300 <= top + 118
    assert left <= 400 <= left + 118


def test_enlarging_repeats_pixels_and_cropping_takes_them():
    image = _images(0, 6, 8, 3)
    large = zoom.enlarge(image, 3)
    assert large.shape == (18, 24, 3)
    for offset in range(3):
        np.testing.assert_array_equal(large[offset::3, offset::3], image)
    part = zoom.crop(image, (2, 5), 3)
    np.testing.assert_array_equal(part, image[2:5, 5:8])


def test_the_frame_surrounds_the_square_and_changes_nothing_else():
    image = _images(0, 10, 10, 3)
    framed = zoom.frame(image, (2, 3), 4)
    changed = (framed != image).any(-1)
    expected = np.zeros((10, 10), bool)
    expected[2:6, 3:7] = True
    expected[3:5, 4:6] = False
    np.testing.assert_array_equal(changed, expected)


def test_columns_keep_their_pictures_below_their_label():
    first, second = _images(1, 30, 40, 3), _images(2, 30, 40, 3)
    grid = zoom.labelled_columns({"a": [first, second], "b": [second, first]})
    assert grid.shape == (zoom.HEADER + 2 * (30 + zoom.GAP), 2 * (40 + zoom.GAP), 3)
    top, left = zoom.HEADER, 40 + zoom.GAP
    np.testing.assert_array_equal(grid[top : top + 30, :40], first)
    np.testing.assert_array_equal(grid[top : top + 30, left : left + 40], second)
    assert (grid[:top] < 255).any()
