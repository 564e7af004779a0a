"""Random colours, for training on photographs that have few; uint8 in and out."""

import numpy as np
from jaxtyping import Float, UInt8

Pixels = UInt8[np.ndarray, "_ _ _"]


def rotate_hue(image: Pixels, angle: float) -> Pixels:
    """The image with its colours turned by `angle`, in radians, about the grey axis.

    A third of a turn makes red green, green blue and blue red. Every pixel keeps its
    mean over the channels and its distance from grey, up to rounding and to clipping
    where a turned colour lies outside [0, 255]. An image of 1 channel stays as it is.
    """
    if image.shape[-1] == 1:
        return image
    turned = image.astype(np.float32) @ grey_axis_rotation(angle).T.astype(np.float32)
    return np.clip(np.rint(turned), 0, 255).astype(np.uint8)


def grey_axis_rotation(angle: float) -> Float[np.ndarray, "3 3"]:
    """The rotation of RGB space by `angle`, in radians, about (1, 1, 1).

    Rodrigues' formula: cos I + (1 - cos) u uᵀ + sin [u]×, with u = (1, 1, 1) / √3.
    """
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * np.eye(3) + (1.0 - cos) / 3.0 + sin / np.sqrt(3.0) * cross


def random_colors(image: Pixels, rng: np.random.Generator) -> Pixels:
    """The image with its hue turned by an angle, every one equally likely."""
    return rotate_hue(image, rng.uniform(0.0, 2.0 * np.pi))
