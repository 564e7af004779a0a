import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import diff_augment

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (64, 16, 12, 3)))


def _apply(name, seed=0, images=IMAGES):
    return diff_augment.AUGMENTATIONS[name](jax.random.key(seed), images)


@pytest.mark.parametrize("name", diff_augment.AUGMENTATIONS)
def test_images_draw_for_themselves_and_reproducibly(name):
    same = jnp.broadcast_to(IMAGES[:1], IMAGES.shape)
    found = np.asarray(_apply(name, images=same))
    assert len({image.tobytes() for image in found}) > 10
    np.testing.assert_array_equal(found, _apply(name, images=same))
    assert not np.array_equal(found, _apply(name, seed=1, images=same))


@pytest.mark.parametrize("name", diff_augment.AUGMENTATIONS)
def test_gradients_reach_the_images(name):
    grad = jax.grad(lambda x: jnp.sum(_apply(name, images=x) ** 2))(IMAGES)
    assert np.isfinite(grad).all()
    assert (np.abs(grad).sum((1, 2, 3)) > 0).all()


def test_translation_moves_by_at_most_an_eighth():
    found = np.asarray(_apply("translation"))
    seen = set()
    for image, original in zip(found, np.asarray(IMAGES), strict=True):
        padded = np.pad(original, ((2, 2), (2, 2), (0, 0)))
        fits = {
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if np.array_equal(padded[2 + dy : 18 + dy, 2 + dx : 14 + dx], image)
        }
        assert len(fits) == 1
        seen |= fits
    assert {dy for dy, _ in seen} == {dx for _, dx in seen} == {-2, -1, 0, 1, 2}


def test_cutout_removes_one_window_of_half_the_sides():
    gone = np.asarray(_apply("cutout") == 0.0).all(-1)
    for image in gone:
        rows, columns = image.any(1).sum(), image.any(0).sum()
        assert image.sum() == rows * columns  # a rectangle
        assert 1 <= rows <= 8
        assert 1 <= columns <= 6
    assert gone.sum((1, 2)).max() == 8 * 6


def test_color_keeps_what_its_three_changes_keep():
    found = np.asarray(_apply("color"))
    grey = np.asarray(IMAGES).mean(-1)
    for image, original in zip(found.mean(-1), grey, strict=True):
        # Brightness shifts, saturation keeps grey, contrast scales about the mean.
        slope, offset = np.polyfit(original.ravel(), image.ravel(), 1)
        np.testing.assert_allclose(slope * original + offset, image, atol=1e-4)
        assert 0.5 <= slope <= 1.5
        assert abs(image.mean() - original.mean()) <= 0.5


def test_augment_applies_the_named_ones_in_order_and_none_without_names():
    key = jax.random.key(0)
    np.testing.assert_array_equal(diff_augment.augment(key, IMAGES, ()), IMAGES)
    found = diff_augment.augment(key, IMAGES, ("color", "cutout"))
    step = diff_augment.color(jax.random.fold_in(key, 0), IMAGES)
    step = diff_augment.cutout(jax.random.fold_in(key, 1), step)
    np.testing.assert_array_equal(found, step)
