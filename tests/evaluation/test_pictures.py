import numpy as np

from vq_jax.evaluation import pictures


def test_stacked_pictures_keep_their_pixels_and_the_rest_is_white():
    wide = np.full((2, 5, 3), 10, np.uint8)
    narrow = np.full((4, 3, 3), 20, np.uint8)
    stacked = pictures.stack([wide, narrow])
    assert stacked.shape == (6, 5, 3)
    np.testing.assert_array_equal(stacked[:2], wide)
    np.testing.assert_array_equal(stacked[2:, :3], narrow)
    assert (stacked[2:, 3:] == 255).all()
