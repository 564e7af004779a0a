import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from skimage.metrics import structural_similarity

from vq_jax.errors import InputError
from vq_jax.metrics import ssim
from vq_jax.testing import reference

ssim_of = jax.jit(ssim.ssim)


def noisy(images, sigma):
    noise = sigma * np.random.default_rng(0).normal(size=images.shape)
    return np.clip(np.round(images + noise), 0, 255).astype(np.uint8)


def photographs():
    crops = [getattr(skimage.data, x)()[:60, :75] for x in ("astronaut", "coffee")]
    return np.stack(crops)


# Squares up to 127.5^2 in float32 beside C2 = 58.5; found at most 1.3e-5 on black and
# white, 2e-6 on photographs.
TOLERANCE = 3e-5


@pytest.mark.parametrize("sigma", [0.5, 5.0, 50.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_matches_scikit_image_on_photographs(sigma, channels):
    images = photographs()[..., :channels]
    recon = noisy(images, sigma)
    expected = [
        structural_similarity(
            x,
            y,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=-1,
        )
        for x, y in zip(recon, images, strict=True)
    ]
    found = ssim_of(jnp.asarray(recon), jnp.asarray(images))
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("size", [(11, 11), (11, 20), (17, 12)])
def test_ssim_matches_the_definition_where_it_cancels_most(size):
    # Black beside white, with a little noise: variances near 0 far from the mean.
    images = np.full((2, *size, 1), 254, np.uint8)
    images[:, :, : size[1] // 2] = 1
    recon = noisy(images, 1.0)
    found = ssim_of(jnp.asarray(recon), jnp.asarray(images))
    np.testing.assert_allclose(found, reference.ssim(recon, images), atol=TOLERANCE)


def test_identical_images_score_one_and_order_does_not_matter():
    images = jnp.asarray(photographs())
    recon = jnp.asarray(noisy(photographs(), 20.0))
    np.testing.assert_allclose(ssim_of(images, images), 1.0, atol=1e-6)
    np.testing.assert_allclose(
        ssim_of(recon, images), ssim_of(images, recon), atol=1e-6
    )


def test_images_smaller_than_the_window_are_rejected():
    small = jnp.zeros((1, 32, 10, 3), jnp.uint8)
    with pytest.raises(InputError, match="at least 11 x 11 pixels, got 32 x 10"):
        ssim.ssim(small, small)
