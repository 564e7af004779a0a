"""Random colours, for training on photographs that have few; uint8 in and out."""

import numpy as np
from jaxtyping import Float, UInt8

Pixels = UInt8[np.ndarray, "_ _ _"]
Color = Float[np.ndarray, "3"]
ColorMatrix = Float[np.ndarray, "3 3"]

SHIFT = 20.0  # levels


def random_colors(image: Pixels, rng: np.random.Generator) -> Pixels:
    """The image in colours that its photograph does not have.

    Its hue is turned by an angle, every one equally likely. Half of the images become
    their negatives. At last each channel is shifted by a number from a normal
    distribution of deviation `SHIFT`. The turn brings all hues, the negative bright
    areas without texture, such as skies, and the shift a tint of grey images.

    An image of 1 channel stays as it is, and draws the same numbers.
    """
    matrix, offset = hue_rotation(rng.uniform(0.0, 2.0 * np.pi)), np.zeros(3)
    if rng.random() < 0.5:
        matrix, offset = -matrix, offset + 255.0
    return recolor(image, matrix, offset + rng.normal(0.0, SHIFT, 3))


def recolor(image: Pixels, matrix: ColorMatrix, offset: Color) -> Pixels:
    """`matrix` @ pixel + `offset` of every pixel, rounded, and clipped to [0, 255].

    An image of 1 channel stays as it is.
    """
    if image.shape[-1] == 1:
        return image
    pixels = image.astype(np.float32) @ matrix.T.astype(np.float32)
    pixels += offset.astype(np.float32)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def hue_rotation(angle: float) -> ColorMatrix:
    """The rotation of RGB space by `angle`, in radians, about the axis of greys.

    A third of a turn makes red green, green blue and blue red. A pixel keeps its mean
    over the channels and its distance from grey. Rodrigues' formula:
    cos I + (1 - cos) u uᵀ + sin [u]×, with u = (1, 1, 1) / √3.
    """
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * np.eye(3) + (1.0 - cos) / 3.0 + sin / np.sqrt(3.0) * cross
