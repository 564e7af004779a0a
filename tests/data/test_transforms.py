import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vq_jax.data import transforms
from vq_jax.data.transforms import EvalTransform, TrainTransform
from vq_jax.errors import InputError

FIELDS = {"image_size": 8, "channels": 3, "resize": "shorter_side", "kernel": "box"}
TRAIN = {**FIELDS, "crop": "random", "flip": True}


def coordinates(height: int, width: int) -> np.ndarray:
    """Channel 0 is the row, channel 1 the column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)


def element(image: np.ndarray, label: int = 3) -> dict:
    return {"image": image, "label": label, "name": "x"}


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    size=st.integers(1, 20),
    mode=st.sampled_from(transforms.RESIZES),
    kernel=st.sampled_from(sorted(transforms.KERNELS)),
    channels=st.sampled_from(transforms.CHANNELS),
)
def test_resize_makes_room_and_keeps_aspect(
    height, width, size, mode, kernel, channels
):
    image = np.full((height, width, channels), 77, np.uint8)
    resized = transforms.resize(image, size, mode, kernel)
    assert min(resized.shape[:2]) >= size
    if mode == "none" and min(height, width) >= size:
        assert resized is image
    else:
        scale = size / min(height, width)
        np.testing.assert_allclose(
            resized.shape[:2], [height * scale, width * scale], atol=0.5
        )
    # A flat image stays flat under every kernel: weights sum to one.
    assert set(resized.flat) == {77}


def test_reduction_is_antialiased_except_nearest():
    stripes = np.zeros((8, 32, 1), np.uint8)
    stripes[:, ::2] = 200
    for kernel in transforms.KERNELS:
        reduced = transforms.resize(stripes, 2, "shorter_side", kernel)[:, 2:-2]
        # The exact mean is 100; smooth kernels leave a ripple.
        spread = np.abs(reduced.astype(int) - 100).max()
        assert (spread == 100) == (kernel == "nearest"), kernel
        assert spread <= 20 or kernel == "nearest", kernel


def test_box_is_the_mean_over_blocks():
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    mean = image.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    reduced = transforms.resize(image, 4, "shorter_side", "box")
    # Pillow rounds twice: after the rows and after the columns.
    np.testing.assert_allclose(reduced, mean, atol=1.01)


def test_center_crop_is_the_middle():
    crop = transforms.center_crop(coordinates(9, 12), 4)
    assert (crop[0, 0, :2] == [2, 4]).all()
    assert crop.shape == (4, 4, 3)


def test_random_crop_reaches_every_position_and_is_a_window():
    image, rng = coordinates(5, 6), np.random.default_rng(0)
    corners = set()
    for _ in range(300):
        crop = transforms.random_crop(image, 4, rng)
        top, left = crop[0, 0, :2]
        np.testing.assert_array_equal(crop, image[top : top + 4, left : left + 4])
        corners.add((int(top), int(left)))
    assert corners == {(top, left) for top in range(2) for left in range(3)}


def test_random_resized_crop_keeps_to_its_area():
    rng = np.random.default_rng(0)
    image = coordinates(64, 96)
    sides = []
    for _ in range(200):
        crop = transforms.random_resized_crop(image, 8, rng, 0.25, "nearest")
        assert crop.shape == (8, 8, 3)
        sides.append((int(crop[-1, 0, 0]) - int(crop[0, 0, 0])) / 7 * 8)
    # Area is uniform in [1/4, 1] of 64 x 64; nearest moves the ends by a pixel or two.
    assert 29 <= min(sides) <= 40
    assert 60 <= max(sides) <= 67


def test_flip_twice_is_the_identity():
    image = coordinates(3, 4)
    flipped = transforms.flip(image)
    np.testing.assert_array_equal(flipped[0, :, 1], [3, 2, 1, 0])
    np.testing.assert_array_equal(transforms.flip(flipped), image)


def test_channels_round_trip_for_grey():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    colour = transforms.to_channels(grey, 3)
    assert colour.shape == (16, 16, 3)
    np.testing.assert_array_equal(transforms.to_channels(colour, 1), grey)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("crop", transforms.CROPS)
@pytest.mark.parametrize("shape", [(5, 40, 1), (40, 5, 3), (8, 8, 3), (30, 20, 1)])
def test_outputs_have_one_shape(crop, channels, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    train = TrainTransform(**{**TRAIN, "crop": crop, "channels": channels})
    evaluate = EvalTransform(**{**FIELDS, "channels": channels})
    rng = np.random.default_rng(0)
    for output in (train(element(image), rng), evaluate(element(image))):
        assert set(output) == {"image", "label"}
        assert output["image"].shape == (8, 8, channels)
        assert output["image"].dtype == np.uint8
        assert (output["label"], output["label"].dtype) == (3, np.int32)


def test_half_of_the_images_are_mirrored():
    image, rng = coordinates(8, 8), np.random.default_rng(0)
    transform = TrainTransform(**{**TRAIN, "crop": "center"})
    first = [transform(element(image), rng)["image"][0, 0, 1] for _ in range(400)]
    # Binomial(400, 1/2) has a deviation of 10.
    assert set(first) == {0, 7}
    assert 150 < first.count(7) < 250
    never = TrainTransform(**{**TRAIN, "crop": "center", "flip": False})
    assert {never(element(image), rng)["image"][0, 0, 1] for _ in range(50)} == {0}


def test_eval_has_no_randomness_and_train_follows_its_generator():
    image = np.random.default_rng(0).integers(0, 256, (9, 50, 3), dtype=np.uint8)
    transform = TrainTransform(**TRAIN)

    def draw(seed: int) -> np.ndarray:
        return transform(element(image), np.random.default_rng(seed))["image"]

    np.testing.assert_array_equal(draw(1), draw(1))
    assert len({draw(seed).tobytes() for seed in range(8)}) > 4
    crop = EvalTransform(**FIELDS)(element(image))["image"]
    resized = transforms.resize(image, 8, "shorter_side", "box")
    np.testing.assert_array_equal(crop, transforms.center_crop(resized, 8))


@pytest.mark.parametrize(
    ("field", "value", "choice"),
    [
        ("resize", "longer", "shorter_side"),
        ("kernel", "cubic", "bicubic"),
        ("crop", "middle", "random_resized"),
        ("channels", 4, "3"),
    ],
)
def test_unknown_choice_is_named_at_construction(field, value, choice):
    with pytest.raises(InputError, match=rf"config\.data\.{field}={value!r}.*{choice}"):
        TrainTransform(**{**TRAIN, field: value})


def test_sizes_that_do_not_fit():
    with pytest.raises(InputError, match=r"image_size=0 must be in"):
        EvalTransform(**{**FIELDS, "image_size": 0})
    with pytest.raises(InputError, match=r"crop of 9 .* 8 x 20 pixels"):
        transforms.center_crop(coordinates(8, 20), 9)


@pytest.mark.parametrize("crop", ["random", "center"])
@pytest.mark.parametrize("shape", [(3, 4000, 1), (4000, 3, 3)])
def test_narrow_images_are_cut_before_they_are_scaled(monkeypatch, crop, shape):
    """As a whole, the strip would have 8 x 10,667 pixels."""
    monkeypatch.setattr(transforms.decode, "MAX_PIXELS", 50_000)
    scaled = []
    scale = transforms._scale

    def watched(image, shape, kernel):
        scaled.append(shape)
        return scale(image, shape, kernel)

    monkeypatch.setattr(transforms, "_scale", watched)
    image = np.zeros(shape, np.uint8)
    image[:] = np.arange(4000).reshape([4000 if n == 4000 else 1 for n in shape]) // 16
    train = TrainTransform(**{**TRAIN, "crop": crop})
    rng = np.random.default_rng(0)
    crops = [train(element(image), rng)["image"] for _ in range(20)]
    middle = EvalTransform(**FIELDS)(element(image))["image"]
    assert set(scaled) == {(8, 8)}
    assert {124, 125} >= set(middle.flat)
    # Random crops come from all over the strip.
    assert np.ptp([crop.mean() for crop in crops]) > (150 if crop == "random" else -1)
