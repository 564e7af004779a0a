"""Scratches change what their mask says, and nothing else."""

import math

import numpy as np

from vq_jax.data.degradations.scratches import (
    VISIBLE,
    Scratch,
    coverage,
    scratched,
)


def test_a_line_covers_the_pixels_of_its_length_and_width():
    level = Scratch((5.0, 10.0), 0.0, 9.0, 1.0, 255.0)
    found = coverage(level, 11, 21)
    expected = np.zeros((11, 21))
    expected[5, 6:15] = 1.0  # 4.5 to each side of the centre, and a pixel's ramp
    expected[5, [5, 15]] = 0.5
    np.testing.assert_allclose(found, expected, atol=1e-12)
    upright = coverage(level._replace(angle=math.pi / 2, center=(10.0, 5.0)), 21, 11)
    np.testing.assert_allclose(upright, expected.T, atol=1e-12)


def test_the_mask_has_the_pixels_that_changed_and_the_seed_decides():
    image = np.full((28, 20, 3), 100, np.uint8)
    masks = []
    for seed in range(20):
        found, mask = scratched(image, np.random.default_rng(seed))
        again, _ = scratched(image, np.random.default_rng(seed))
        np.testing.assert_array_equal(found, again)
        apart = np.abs(found.astype(int) - image).max(axis=-1)
        np.testing.assert_array_equal(mask, apart >= VISIBLE)
        masks.append(mask)
    assert 0.01 < np.mean(masks) < 0.2
    assert len(np.unique(masks, axis=0)) == 20
