"""Noise of cameras; NumPy, float32 pixels in [0, 255]."""

import numpy as np
from jaxtyping import Float

FloatPixels = Float[np.ndarray, "_ _ _"]


def add_gaussian(
    image: FloatPixels, sigma: float, rng: np.random.Generator, *, grey: bool = False
) -> FloatPixels:
    """The image plus normal numbers of deviation `sigma`, in grey levels; float32.

    `grey` adds the same number to all channels of a pixel.
    """
    shape = (*image.shape[:2], 1) if grey else image.shape
    return (image + sigma * rng.standard_normal(shape)).astype(np.float32)


def add_poisson(
    image: FloatPixels, scale: float, rng: np.random.Generator, *, grey: bool = False
) -> FloatPixels:
    """Shot noise: the image plus `scale` times that of counting photons; float32.

    A pixel x in [0, 255] counts as many photons on average, and deviates from them by
    Poisson(x) - x, whose variance is x; so the noise has the variance `scale`² x.
    `grey` takes the deviation of the mean over the channels for all of them. (The
    counts are of 8 bits; Real-ESRGAN counts the levels that occur, rounded up to a
    power of two, and so gets its scale's unit.)
    """
    expected = np.clip(image, 0.0, 255.0).astype(np.float64)
    if grey:
        expected = expected.mean(axis=-1, keepdims=True)
    deviation = rng.poisson(expected) - expected
    return (image + scale * deviation).astype(np.float32)
