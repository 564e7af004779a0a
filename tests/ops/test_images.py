import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import images

INTENSITIES = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


def test_round_trip_is_the_identity_on_all_intensities():
    pixels = images.from_uint8(jnp.asarray(INTENSITIES))
    np.testing.assert_array_equal(images.to_uint8(pixels), INTENSITIES)


def test_range_is_minus_one_to_one_in_float32():
    pixels = images.from_uint8(jnp.asarray(INTENSITIES))
    assert pixels.dtype == jnp.float32
    assert pixels.min() == -1.0
    assert pixels.max() == 1.0
    steps = np.diff(np.asarray(pixels).ravel())
    np.testing.assert_allclose(steps, 2 / 255, atol=1.2e-7)  # one rounding near 1


def test_to_uint8_clips_and_rounds_to_the_nearest_intensity():
    pixels = jnp.asarray([-3.0, -1.001, 100.4 / 127.5 - 1, 100.6 / 127.5 - 1, 1.5])
    found = images.to_uint8(pixels.reshape(1, 1, 1, 5))
    np.testing.assert_array_equal(found.ravel(), [0, 0, 100, 101, 255])


def test_to_uint8_of_bfloat16_rounds_only_once():
    # 1 + x rounds to 2 in bfloat16; the arithmetic has to be in float32.
    pixels = jnp.full((1, 1, 1, 1), 0.98828125, jnp.bfloat16)
    assert images.to_uint8(pixels).item() == round(127.5 * 1.98828125)


@pytest.mark.parametrize("shape", [(2, 3, 1), (2, 3, 4, 1), (2, 2, 3, 4, 3)])
def test_any_leading_axes(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = images.to_uint8(images.from_uint8(jnp.asarray(pixels)))
    np.testing.assert_array_equal(found, pixels)
