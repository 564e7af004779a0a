import numpy as np
import pytest

from vq_jax.data import color
from vq_jax.data.transforms import TrainTransform
from vq_jax.errors import InputError

FIELDS = {
    "image_size": 8,
    "channels": 3,
    "resize": "none",
    "kernel": "box",
    "crop": "random",
    "flip": True,
}
ANGLES = np.linspace(0.0, 2 * np.pi, 13)
NO_SHIFT = np.zeros(3)


def noise(channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (16, 24, channels), dtype=np.uint8)


def element(image: np.ndarray) -> dict:
    return {"image": image, "label": 3, "name": "x"}


def test_recolor_is_its_definition():
    rng = np.random.default_rng(1)
    image = noise()
    for _ in range(5):
        matrix, offset = rng.normal(size=(3, 3)), rng.normal(0.0, 50.0, 3)
        pixels = np.einsum("ij,hwj->hwi", matrix, image.astype(np.float64)) + offset
        recolored = color.recolor(image, matrix, offset)
        assert recolored.dtype == np.uint8
        # Half a level of rounding; what lies outside does not wrap.
        clipped = np.clip(pixels, 0.0, 255.0)
        np.testing.assert_allclose(recolored, clipped, atol=0.501)


def test_a_hue_rotation_turns_about_grey():
    for angle in ANGLES:
        matrix = color.hue_rotation(angle)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(matrix @ np.ones(3), np.ones(3), atol=1e-12)
        # Of a rotation in three dimensions: 1 + 2 cos.
        assert np.trace(matrix) == pytest.approx(1 + 2 * np.cos(angle), abs=1e-12)
    half = color.hue_rotation(0.7) @ color.hue_rotation(0.7)
    np.testing.assert_allclose(half, color.hue_rotation(1.4), atol=1e-12)


def test_a_third_of_a_turn_moves_the_channels_on():
    image = noise()
    turned = color.recolor(image, color.hue_rotation(2 * np.pi / 3), NO_SHIFT)
    # Green has red's values, blue has green's, red has blue's.
    np.testing.assert_array_equal(turned, np.roll(image, 1, axis=-1))


def test_turned_greys_keep_their_values():
    grey = np.repeat(noise(channels=1), 3, axis=-1)
    for angle in ANGLES:
        turned = color.recolor(grey, color.hue_rotation(angle), NO_SHIFT)
        np.testing.assert_array_equal(turned, grey)


def test_random_colors_give_greys_tints_and_half_of_the_images_negatives():
    ramp = np.repeat(np.arange(96, 160, dtype=np.uint8)[None, :, None], 3, axis=-1)
    rng, tints, negatives = np.random.default_rng(0), [], 0
    for _ in range(400):
        recolored = color.random_colors(ramp, rng).astype(int)
        rises = np.diff(recolored, axis=1)
        assert set(rises.flat) in ({1}, {-1})
        negative = rises[0, 0, 0] == -1
        negatives += negative
        shift = recolored - (255 - ramp.astype(int) if negative else ramp.astype(int))
        tints.append(shift[0, 0])
    # Binomial(400, 1/2) has a deviation of 10.
    assert 150 < negatives < 250
    # 1,200 numbers: their deviation is known within 2 %, their mean within 0.6.
    assert np.std(tints) == pytest.approx(color.SHIFT, rel=0.1)
    assert abs(np.mean(tints)) < 2.5


def test_random_colors_reach_all_hues():
    red = np.full((1, 1, 3), (200, 80, 80), np.uint8)
    rng = np.random.default_rng(0)
    shown = np.array([color.random_colors(red, rng)[0, 0] for _ in range(200)])
    brightest = shown.argmax(axis=-1)
    # A third each, with a deviation of 6.7.
    assert np.bincount(brightest, minlength=3).min() > 40


def test_without_colours_the_draws_are_those_of_crop_and_mirror():
    plain, off = TrainTransform(**FIELDS), TrainTransform(**FIELDS, color_prob=0.0)
    for seed in range(8):
        first, second, expected = (np.random.default_rng(seed) for _ in range(3))
        np.testing.assert_array_equal(
            plain(element(noise()), first)["image"],
            off(element(noise()), second)["image"],
        )
        expected.integers(8, endpoint=True)
        expected.integers(16, endpoint=True)
        expected.random()
        state = expected.bit_generator.state
        assert first.bit_generator.state == second.bit_generator.state == state


def test_a_fraction_of_the_images_is_recoloured_after_crop_and_mirror():
    off, some = TrainTransform(**FIELDS), TrainTransform(**FIELDS, color_prob=0.25)
    recolored = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        expected = off(element(noise()), rng)["image"]
        if rng.random() < 0.25:
            expected = color.random_colors(expected, rng)
            recolored += 1
        found = some(element(noise()), np.random.default_rng(seed))["image"]
        np.testing.assert_array_equal(found, expected)
    # Binomial(120, 1/4) has a deviation of 4.7.
    assert 15 < recolored < 45


def test_one_channel_has_no_colours():
    grey = {**FIELDS, "channels": 1}
    off, always = TrainTransform(**grey), TrainTransform(**grey, color_prob=1.0)
    for seed in range(8):
        before, after = (
            transform(element(noise()), np.random.default_rng(seed))["image"]
            for transform in (off, always)
        )
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_a_fraction_out_of_range_is_named(value):
    with pytest.raises(InputError, match=rf"config\.data\.color_prob={value} must be"):
        TrainTransform(**FIELDS, color_prob=value)
