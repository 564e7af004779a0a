"""Blur kernels, and images under them; NumPy, float32 pixels in [0, 255].

A kernel is float64 [k, k] with k odd, not negative, with sum 1.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy import signal

Kernel = Float[np.ndarray, "k k"]
FloatPixels = Float[np.ndarray, "_ _ _"]


def gaussian(
    size: int, sigma_x: float, sigma_y: float, angle: float, beta: float = 1.0
) -> Kernel:
    """exp(-½ (cᵀ Σ⁻¹ c)^β), normalised (2107.10833, section 3.1).

    β = 1 is a Gaussian, β < 1 has heavier tails, β > 1 a flatter top.

    Args:
        size: k, odd.
        sigma_x, sigma_y: deviations along the axes of the ellipse, in pixels.
        angle: of the first axis from that of columns, in radians.
        beta: the shape.
    """
    return _normalised(
        np.exp(-0.5 * _mahalanobis(size, sigma_x, sigma_y, angle) ** beta)
    )


def plateau(
    size: int, sigma_x: float, sigma_y: float, angle: float, beta: float
) -> Kernel:
    """1 / (1 + (cᵀ Σ⁻¹ c)^β), normalised (2107.10833, section 3.1); see `gaussian`."""
    return _normalised(
        1.0 / (1.0 + _mahalanobis(size, sigma_x, sigma_y, angle) ** beta)
    )


def motion(length: float, angle: float) -> Kernel:
    """The path of a camera that moves evenly on a line of `length` pixels.

    The mean of many points of the line, each shared among the four pixels around it by
    bilinear weights. A length of 0 leaves an image as it is.

    Args:
        length: 0 or more.
        angle: of the line from the axis of columns, in radians.
    """
    size = 2 * math.ceil(length / 2.0) + 3
    kernel, centre = np.zeros((size, size)), size // 2
    # Some eight points a pixel: a line has no width, and more change no weight by 1 %.
    places = np.linspace(-0.5, 0.5, 8 * size + 1) * length
    for y, x in zip(
        centre + places * np.sin(angle), centre + places * np.cos(angle), strict=True
    ):
        top, left = math.floor(y), math.floor(x)
        down, right = y - top, x - left
        kernel[top : top + 2, left : left + 2] += np.outer(
            [1.0 - down, down], [1.0 - right, right]
        )
    return _normalised(kernel)


def blur(image: FloatPixels, kernel: Kernel) -> FloatPixels:
    """The convolution of each channel, float32; outside, the image is mirrored.

    A mirror image (without its edge repeated) has no dark frame, as zeros would have.
    """
    radius = len(kernel) // 2
    padding = ((radius, radius), (radius, radius), (0, 0))
    padded = np.pad(image.astype(np.float64), padding, mode="reflect")
    blurred = signal.fftconvolve(padded, kernel[..., None], mode="valid", axes=(0, 1))
    return blurred.astype(np.float32)


def _mahalanobis(size: int, sigma_x: float, sigma_y: float, angle: float) -> Kernel:
    """cᵀ Σ⁻¹ c of each pixel's distance c from the centre."""
    offsets = np.arange(size) - size // 2
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    return (along / sigma_x) ** 2 + (across / sigma_y) ** 2


def _normalised(kernel: Kernel) -> Kernel:
    return kernel / kernel.sum()
