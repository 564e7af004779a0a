import jax.numpy as jnp
import numpy as np
import skimage.data

from vq_jax.metrics import psnr
from vq_jax.testing import reference


def test_psnr_matches_the_definition_on_photographs():
    photo = skimage.data.astronaut()[:128, :128].astype(int)
    rng = np.random.default_rng(0)
    sigmas = np.asarray([0.3, 1.0, 10.0, 80.0])[:, None, None, None]
    noise = sigmas * rng.normal(size=(4, 128, 128, 3))
    recon = np.clip(np.round(photo + noise), 0, 255).astype(np.uint8)
    images = np.broadcast_to(photo.astype(np.uint8), recon.shape)
    found = psnr.psnr(jnp.asarray(recon), jnp.asarray(images))
    np.testing.assert_allclose(found, reference.psnr(recon, images), rtol=1e-5)


def test_extremes():
    black = jnp.zeros((1, 4, 4, 1), jnp.uint8)
    assert psnr.psnr(black, black + 255)[0] == 0.0
    assert psnr.psnr(black, black)[0] == psnr.MAX_PSNR
    np.testing.assert_allclose(psnr.psnr(black, black + 1), 48.1308, rtol=1e-6)
