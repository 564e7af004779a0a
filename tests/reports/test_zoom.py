import hypothesis
import numpy as np
from hypothesis import strategies

from vq_jax.reports import zoom


def _images(seed, height, width, channels):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def _details(image, size):
    """The definition, square by square and pixel by pixel, in float64."""
    grey = image.astype(np.float64).sum(-1)
    height, width = grey.shape

    def detail(i, j):
        right = grey[i, j + 1] - grey[i, j] if j + 1 < width else 0
        below = grey[i + 1, j] - grey[i, j] if i + 1 < height else 0
        return right**2 + below**2

    within = list(np.ndindex(size, size))
    rows, columns = (n - size + 1 for n in grey.shape)
    return np.array(
        [
            [sum(detail(i + k, j + m) for k, m in within) for j in range(columns)]
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
def test_the_corner_is_that_of_the_most_detail(seed, size, height, width):
    image = _images(seed, height, width, 3)
    details = _details(image, size)
    assert details[zoom.detail_corner(image, size)] == details.max()


def test_ties_go_to_the_first_square():
    assert zoom.detail_corner(np.full((8, 8, 1), 7, np.uint8), 3) == (0, 0)


def test_texture_has_more_detail_than_a_large_edge():
    image = np.zeros((16, 32, 3), np.uint8)
    image[:, 8:16] = 255
    image[:, 20:28] = np.indices((16, 8)).sum(0)[..., None] % 2 * 100
    assert zoom.detail_corner(image, 8) == (0, 20)


def test_each_run_of_images_gives_its_most_detailed():
    images = np.zeros((7, 4, 4, 1), np.uint8)
    for index, value in ((1, 9), (2, 8), (4, 3), (6, 2)):
        images[index, 1, 1] = value
    chosen = zoom.most_detailed(images, 3)  # runs of 3, 2 and 2
    np.testing.assert_array_equal(chosen, images[[1, 4, 6]])
    np.testing.assert_array_equal(zoom.most_detailed(images, 9), images)


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
