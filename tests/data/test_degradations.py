"""Operations against their definitions; draws by image, and the same when asked."""

import io
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.measure import block_reduce

from vq_jax import InputError
from vq_jax.data.degradations import jpeg, kernels, noise, scaling
from vq_jax.data.degradations.degradation import (
    Degradation,
    consistency,
    enlarge,
    evaluation_rng,
)
from vq_jax.data.degradations.operations import (
    Blur,
    GaussianNoise,
    Hole,
    Jpeg,
    MotionBlur,
    OneOf,
    PoissonNoise,
    Shrink,
    to_uint8,
)
from vq_jax.data.degradations.presets import (
    BLUR,
    DEGRADATIONS,
    FIXED,
    TRAINING,
    degradation,
)
from vq_jax.testing import tiny


def _image(size=24, channels=3):
    return np.ascontiguousarray(tiny.images(1, size)[0][..., :channels])


def _covariance(kernel):
    """Second moments of a kernel about its centre, in (y, x)."""
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    return np.array(
        [
            [(kernel * y * y).sum(), (kernel * x * y).sum()],
            [(kernel * x * y).sum(), (kernel * x * x).sum()],
        ]
    )


def test_a_gaussian_has_the_covariance_that_it_is_given():
    kernel = kernels.gaussian(31, 3.0, 1.5, 0.4)
    turn = np.array([[np.sin(0.4), np.cos(0.4)], [np.cos(0.4), -np.sin(0.4)]])
    wanted = turn @ np.diag([9.0, 2.25]) @ turn.T
    np.testing.assert_allclose(_covariance(kernel), wanted, rtol=1e-3, atol=1e-6)
    assert kernel.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.5])
def test_the_shapes_are_those_of_the_paper(beta):
    size, sigma_x, sigma_y, angle = 7, 1.3, 2.1, 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = np.linalg.inv(turn @ np.diag([sigma_x**2, sigma_y**2]) @ turn.T)
    gaussian, plateau = np.zeros((2, size, size))
    for y, x in itertools.product(range(size), repeat=2):
        c = np.array([x - 3, y - 3], float)
        distance = (c @ inverse @ c) ** beta
        gaussian[y, x], plateau[y, x] = np.exp(-distance / 2), 1 / (1 + distance)
    for found, wanted in (
        (kernels.gaussian(size, sigma_x, sigma_y, angle, beta), gaussian),
        (kernels.plateau(size, sigma_x, sigma_y, angle, beta), plateau),
    ):
        np.testing.assert_allclose(found, wanted / wanted.sum(), rtol=1e-12)


def test_motion_is_an_even_line_in_its_direction():
    level = kernels.motion(5.0, 0.0)
    middle = len(level) // 2
    np.testing.assert_allclose(level.sum(axis=1)[middle], 1.0)
    np.testing.assert_allclose(level[middle, middle - 1 : middle + 2], 0.2, rtol=0.02)
    np.testing.assert_allclose(kernels.motion(5.0, np.pi / 2), level.T, atol=1e-9)
    # Of a uniform line the variance along it is length² / 12, and a pixel adds 1 / 6.
    along = np.array([np.sin(0.6), np.cos(0.6)])
    found = along @ _covariance(kernels.motion(9.0, 0.6)) @ along
    assert found == pytest.approx(81 / 12 + 1 / 6, rel=0.05)
    assert kernels.motion(0.0, 0.3)[1, 1] == 1.0


def test_blur_is_the_convolution_of_the_mirrored_image():
    image, kernel = _image(), kernels.gaussian(9, 1.0, 3.0, 0.3) + np.eye(9) / 9
    wanted = np.stack(
        [
            ndimage.convolve(image[..., c].astype(float), kernel, mode="mirror")
            for c in range(3)
        ],
        axis=-1,
    )
    found = kernels.blur(image.astype(np.float32), kernel)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_area_is_the_mean_of_blocks(factor):
    image = _image(24).astype(np.float32)
    side = 24 // factor
    found = scaling.scale(image, (side, side), "area")
    wanted = block_reduce(image, (factor, factor, 1), np.mean)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "method"), [("bilinear", "linear"), ("bicubic", "cubic")]
)
@pytest.mark.parametrize("shape", [(6, 12), (9, 7), (48, 60)])
def test_scaling_is_that_of_jax_which_antialiases_too(kind, method, shape):
    image = _image(24).astype(np.float32)
    found = scaling.scale(image, shape, kind)
    wanted = jax.image.resize(jnp.asarray(image), (*shape, 3), method, antialias=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=0.02)


def test_gaussian_noise_has_its_deviation_and_is_another_one_in_each_channel():
    flat = np.full((64, 64, 3), 128.0, np.float32)
    added = noise.add_gaussian(flat, 25.0, np.random.default_rng(0)) - flat
    assert added.std() == pytest.approx(25.0, rel=0.03)
    assert abs(np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1]) < 0.05
    grey = noise.add_gaussian(flat, 25.0, np.random.default_rng(0), grey=True) - flat
    np.testing.assert_allclose(grey[..., 0], grey[..., 2], atol=1e-4)


@pytest.mark.parametrize("level", [16.0, 200.0])
def test_shot_noise_has_a_variance_in_proportion_to_the_light(level):
    flat = np.full((64, 64, 3), level, np.float32)
    added = noise.add_poisson(flat, 2.0, np.random.default_rng(0)) - flat
    assert added.var() == pytest.approx(4.0 * level, rel=0.06)
    assert abs(added.mean()) < 0.6
    grey = noise.add_poisson(flat, 2.0, np.random.default_rng(0), grey=True) - flat
    np.testing.assert_allclose(grey[..., 0], grey[..., 1], atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillows(channels):
    image, stored = _image(channels=channels), io.BytesIO()
    picture = Image.fromarray(image.squeeze(-1) if channels == 1 else image)
    picture.save(stored, format="JPEG", quality=20)
    wanted = np.array(Image.open(stored)).reshape(image.shape)
    np.testing.assert_array_equal(jpeg.compress(image, 20), wanted)


def test_operations_stay_within_their_ranges_and_meet_their_ends():
    rng = np.random.default_rng(0)
    flat = np.full((32, 32, 1), 128.0, np.float32)
    sigmas = [
        (GaussianNoise((5.0, 20.0)).draw(rng)(flat) - flat).std() for _ in range(60)
    ]
    assert 4.0 < min(sigmas) < 7.0
    assert 18.0 < max(sigmas) < 22.0
    sides = [
        Shrink((1.0, 4.0), {"area": 1.0}).draw(rng)(flat).shape[0] for _ in range(60)
    ]
    assert (min(sides) in (8, 9), max(sides) > 28) == (True, True)
    lengths = [MotionBlur((3.0, 9.0)).draw(rng).keywords["kernel"] for _ in range(9)]
    assert {len(kernel) for kernel in lengths} <= {7, 9, 11, 13}


def test_every_image_has_a_kernel_of_its_own_and_kinds_come_by_their_shares():
    rng = np.random.default_rng(0)
    drawn = [BLUR.kernel(rng) for _ in range(300)]
    assert len({kernel.tobytes() for kernel in drawn}) == 300
    # Isotropic ones are their own transpose; their shares are .45 + .12 + .12.
    isotropic = np.mean([np.allclose(kernel, kernel.T) for kernel in drawn])
    assert isotropic == pytest.approx(0.69, abs=0.08)


def test_one_of_several_by_their_shares():
    rng = np.random.default_rng(0)
    choice = OneOf(((Jpeg((10, 10)), 3.0), (Shrink((2.0, 2.0), {"area": 1.0}), 1.0)))
    image = _image().astype(np.float32)
    shapes = [choice.draw(rng)(image).shape[0] for _ in range(400)]
    assert np.mean(np.array(shapes) == 12) == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("name", DEGRADATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_preset_gives_an_image_of_its_size_and_the_same_again(name, channels):
    image, made = _image(32, channels), DEGRADATIONS[name]
    drawn = made.draw(evaluation_rng(3, 5))
    first, again = drawn(image), drawn(image)
    assert first.dtype == np.uint8
    assert first.shape == (32 // made.scale, 32 // made.scale, channels)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, made.draw(evaluation_rng(3, 5))(image))
    assert enlarge(first, made.scale).shape == image.shape
    if name in TRAINING and made.scale == 1:  # one kernel in three is the same again
        others = [made.draw(evaluation_rng(*o))(image) for o in ((3, 6), (4, 5))]
        assert not any(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_the_sweeps_have_the_strength_that_they_say(sigma):
    flat = np.full((64, 64, 3), 128, np.uint8)
    found = FIXED[f"noise_{sigma}"].draw(evaluation_rng(0, 0))(flat)
    assert found.std() == pytest.approx(sigma, rel=0.04)
    quality = {15: 10, 25: 20, 50: 40}[sigma]
    image = _image(32)
    found = FIXED[f"jpeg_{quality}"].draw(evaluation_rng(0, 0))(image)
    np.testing.assert_array_equal(found, jpeg.compress(image, quality))


def test_noise_of_one_strength_is_another_one_in_every_image():
    flat = np.full((64, 64, 3), 128, np.uint8)
    one, two = (FIXED["noise_25"].draw(evaluation_rng(0, i))(flat) for i in range(2))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.05


def test_an_image_is_rounded_once_and_clipped_at_the_end():
    half = Degradation(
        (GaussianNoise((0.0, 0.0)), Shrink((2.0, 2.0), {"area": 1.0})), 2
    )
    image = np.array([[0, 1], [0, 0]], np.uint8)[..., None]
    assert half.draw(evaluation_rng(0, 0))(image).item() == 0
    image = np.array([[0, 2], [1, 0]], np.uint8)[..., None]
    assert half.draw(evaluation_rng(0, 0))(image).item() == 1
    pixels = np.array([-3.0, 0.6, 300.0])[None, None]
    np.testing.assert_array_equal(to_uint8(pixels), [[[0, 1, 255]]])


def test_consistency_leaves_the_noise_out_and_sees_the_rest():
    image = _image(32)
    drawn = FIXED["bicubic_x4"].draw(evaluation_rng(0, 0))
    small = drawn(image)
    assert consistency(image, small, drawn) == 0.0
    assert consistency(255 - image, small, drawn) > 20.0
    drawn = FIXED["noise_25"].draw(evaluation_rng(0, 0))
    flat = np.full((64, 64, 3), 128, np.uint8)
    # The mean of |N(0, 25²)|.
    assert consistency(flat, drawn(flat), drawn) == pytest.approx(19.95, rel=0.03)


def test_errors_name_the_size_and_the_choices():
    with pytest.raises(InputError, match="30x32 does not divide by the scale 4"):
        FIXED["bicubic_x4"].draw(evaluation_rng(0, 0))(_image(32)[:30])
    with pytest.raises(InputError, match=r"train='fog' is unknown; choose .*'denoise'"):
        degradation("fog", "config.degradation.train")


def test_a_blur_of_other_kinds_draws_them():
    plateau = Blur((2.0, 2.0), {"plateau_isotropic": 1.0}, plateau_beta=(1.5, 1.5))
    wanted = kernels.plateau(13, 2.0, 2.0, 0.0, 1.5)
    np.testing.assert_allclose(plateau.kernel(np.random.default_rng(0)), wanted)


def test_shot_noise_is_an_operation():
    flat = np.full((32, 32, 3), 100.0, np.float32)
    act = PoissonNoise((1.0, 1.0)).draw(np.random.default_rng(0))
    assert (act(flat) - flat).var() == pytest.approx(100.0, rel=0.1)


def test_a_hole_has_its_size_lies_anywhere_and_shows_nothing_of_what_stood_there():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3)).astype(np.float32)
    corners = set()
    for seed in range(30):
        act = Hole((0.5, 0.5)).draw(np.random.default_rng(seed))
        found = act(image)
        changed = (found != image).any(axis=-1)
        rows, columns = (np.flatnonzero(changed.any(axis=a)) for a in (1, 0))
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 30)
        corners.add((rows[0], columns[0]))
        other = np.where(changed[..., None], 255 - image, image)
        np.testing.assert_array_equal(act(other), found)
    assert len(corners) > 20
