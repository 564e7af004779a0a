"""How well a hole was filled: whole-image numbers would flatter a composite."""

import math

import numpy as np
from jaxtyping import Bool, UInt8


def hole_psnr(
    found: UInt8[np.ndarray, "h w c"],
    image: UInt8[np.ndarray, "h w c"],
    hole: Bool[np.ndarray, "h w"],
) -> float:
    """PSNR in dB over the pixels of the hole alone; at most 100."""
    error = np.mean((found[hole].astype(np.float64) - image[hole]) ** 2) / 255**2
    return -10 * math.log10(max(error, 1e-10))


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
