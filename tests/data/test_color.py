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
THIRD = 2 * np.pi / 3


def noise(low: int = 0, high: int = 256, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(low, high, (16, 24, channels), dtype=np.uint8)


def element(image: np.ndarray) -> dict:
    return {"image": image, "label": 3, "name": "x"}


def test_a_third_of_a_turn_moves_the_channels_on():
    image = noise()
    turned = color.rotate_hue(image, THIRD)
    # Red's value is green's, green's is blue's, blue's is red's.
    np.testing.assert_array_equal(turned, np.roll(image, 1, axis=-1))


@pytest.mark.parametrize("angle", np.linspace(0.0, 2 * np.pi, 7))
def test_hue_is_a_rotation_about_grey(angle):
    # Mid-tones, whose rotation needs no clipping.
    image = noise(96, 160).astype(np.float64)
    turned = color.rotate_hue(image.astype(np.uint8), angle).astype(np.float64)
    mean, turned_mean = image.mean(-1, keepdims=True), turned.mean(-1, keepdims=True)
    # A channel is rounded by at most a half, and so is their mean.
    np.testing.assert_allclose(turned_mean, mean, atol=0.51)
    chroma, turned_chroma = image - mean, turned - turned_mean
    length, turned_length = (
        np.linalg.norm(x, axis=-1) for x in (chroma, turned_chroma)
    )
    np.testing.assert_allclose(turned_length, length, atol=0.5 * np.sqrt(3) + 0.01)
    cosine = (chroma * turned_chroma).sum(-1) / (length * turned_length + 1e-9)
    # Short vectors lose their direction to rounding.
    far = length > 40
    np.testing.assert_allclose(cosine[far], np.cos(angle), atol=0.03)


def test_greys_keep_their_values():
    grey = np.repeat(noise(channels=1), 3, axis=-1)
    for angle in np.linspace(0.0, 2 * np.pi, 13):
        np.testing.assert_array_equal(color.rotate_hue(grey, angle), grey)
        single = grey[..., :1]
        np.testing.assert_array_equal(color.rotate_hue(single, angle), single)


def test_colours_beyond_the_range_are_clipped_and_do_not_wrap():
    red = np.full((1, 1, 3), (255, 0, 0), np.uint8)
    # Red turned to yellow is (170, 170, -85).
    turned = color.rotate_hue(red, np.pi / 3)
    np.testing.assert_array_equal(turned[0, 0], [170, 170, 0])


def test_without_colours_the_draws_are_those_of_crop_and_mirror():
    image = noise()
    plain = TrainTransform(**FIELDS)
    off = TrainTransform(**FIELDS, color_prob=0.0)
    for seed in range(8):
        a, b = np.random.default_rng(seed), np.random.default_rng(seed)
        np.testing.assert_array_equal(
            plain(element(image), a)["image"], off(element(image), b)["image"]
        )
        # crop: two integers; mirror: one number; and no more.
        c = np.random.default_rng(seed)
        c.integers(8, endpoint=True), c.integers(16, endpoint=True), c.random()
        assert a.bit_generator.state == b.bit_generator.state == c.bit_generator.state


def test_colours_are_drawn_last_for_their_fraction_of_the_images():
    image, rng = noise(), np.random.default_rng(0)
    off = TrainTransform(**FIELDS)
    some = TrainTransform(**FIELDS, color_prob=0.25)
    changed = 0
    for seed in range(400):
        before = off(element(image), np.random.default_rng(seed))["image"]
        after = some(element(image), np.random.default_rng(seed))["image"]
        again = some(element(image), np.random.default_rng(seed))["image"]
        np.testing.assert_array_equal(after, again)
        assert after.dtype == np.uint8
        changed += not np.array_equal(before, after)
    # Binomial(400, 1/4) has a deviation of 8.7.
    assert 65 < changed < 135
    always = TrainTransform(**{**FIELDS, "crop": "center"}, color_prob=1.0)
    shown = [always(element(image), rng)["image"].tobytes() for _ in range(20)]
    assert len(set(shown)) == 20


def test_one_channel_has_no_colours():
    off = TrainTransform(**{**FIELDS, "channels": 1})
    always = TrainTransform(**{**FIELDS, "channels": 1}, color_prob=1.0)
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
