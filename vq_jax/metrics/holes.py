"""How well a hole was filled: whole-image numbers would flatter a composite."""

import functools
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, UInt8

from vq_jax.metrics import ssim
from vq_jax.models.perceptual.lpips import Lpips
from vq_jax.ops import images as image_ops


def hole_psnr(
    found: UInt8[np.ndarray, "h w c"],
    image: UInt8[np.ndarray, "h w c"],
    hole: Bool[np.ndarray, "h w"],
) -> float:
    """PSNR in dB over the pixels of the hole alone; at most 100."""
    error = np.mean((found[hole].astype(np.float64) - image[hole]) ** 2) / 255**2
    return -10 * math.log10(max(error, 1e-10))


def hole_ssim(
    found: UInt8[np.ndarray, "n h w c"],
    image: UInt8[np.ndarray, "h w c"],
    hole: Bool[np.ndarray, "h w"],
) -> np.ndarray:
    """[n]: SSIM over the windows whose middle lies in the hole; nan if none does.

    Windows are 11 pixels wide and lie inside the image, so those at its edge have none.
    """
    others = np.broadcast_to(image, found.shape)
    windows = np.asarray(_windows(jnp.asarray(found), jnp.asarray(others)))
    margin = ssim.WINDOW_SIZE // 2
    inner = hole[margin:-margin, margin:-margin]
    if not inner.any():
        return np.full(len(found), np.nan)
    return windows[:, inner].mean(axis=(1, 2))


_windows = jax.jit(ssim.ssim_of_windows)


def hole_lpips(
    nets: Mapping[str, dict],
    found: UInt8[np.ndarray, "n h w c"],
    image: UInt8[np.ndarray, "h w c"],
    hole: Bool[np.ndarray, "h w"],
) -> dict[str, np.ndarray]:
    """{"lpips_NET": [n]}: LPIPS by pixel, as a mean over those of the hole alone.

    Args:
        nets: name of each network -> parameters of its `Lpips`.
        found: images of 32 pixels or more in each direction.
    """
    pair = [image_ops.from_uint8(np.asarray(x)) for x in (found, image)]
    others = jnp.broadcast_to(pair[1], pair[0].shape)
    return {
        f"lpips_{net}": np.asarray(_spatial(net, params, pair[0], others))[
            :, hole
        ].mean(axis=1)
        for net, params in nets.items()
    }


@functools.partial(jax.jit, static_argnums=0)
def _spatial(net, params, images, others):
    return Lpips(net=net).apply({"params": params}, images, others, method="spatial")


def seam_error(
    image: UInt8[np.ndarray, "h w c"], hole: Bool[np.ndarray, "h w"]
) -> float:
    """Mean step of intensity across the border, in [0, 255].

    The absolute difference of neighbours, left and right or above and below, of which
    one lies in the hole; a mean over such pairs and channels, 0 where there are none.
    To compare with that of the original.
    """
    pixels, steps = image.astype(np.float64), []
    for axis in (0, 1):
        across = np.diff(hole, axis=axis)
        steps.append(np.abs(np.diff(pixels, axis=axis))[across])
    steps = np.concatenate(steps)
    return float(steps.mean()) if steps.size else 0.0
