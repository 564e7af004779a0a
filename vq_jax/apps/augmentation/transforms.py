"""The classical augmentations: random changes of an image that keep its class."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageEnhance, ImageOps

Pixels = UInt8[np.ndarray, "h w c"]

PADDING = 8
"""A crop moves by up to a side through this, 4 pixels of 32 (He et al. 1512.03385)."""

NUM_OPERATIONS, MAGNITUDE, MAX_MAGNITUDE = 2, 9, 30
"""N and M of RandAugment (1909.13719), and the M that is the full strength."""


def flip_and_crop(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Mirrored every second time, and moved over a black border, at random."""
    height, width = image.shape[:2]
    up, left = height // PADDING, width // PADDING
    padded = np.pad(image, ((up, up), (left, left), (0, 0)))
    top, start = rng.integers(2 * up + 1), rng.integers(2 * left + 1)
    found = padded[top : top + height, start : start + width]
    return found[:, ::-1] if rng.random() < 0.5 else found


def rand_augment(image: Pixels, rng: np.random.Generator) -> Pixels:
    """RandAugment (Cubuk et al. 2020, 1909.13719): N of OPERATIONS, each of strength M.

    Operations are drawn with replacement, each as likely as any other, and the sign of
    those that have one is drawn, too. What moves into the image is black.
    """
    grey = image.shape[-1] == 1
    picture = Image.fromarray(image[..., 0] if grey else image)
    strength = MAGNITUDE / MAX_MAGNITUDE
    names = [*OPERATIONS]
    for number in rng.integers(len(names), size=NUM_OPERATIONS):
        sign = 1.0 if rng.random() < 0.5 else -1.0
        picture = OPERATIONS[names[number]](picture, strength, sign)
    return np.asarray(picture).reshape(image.shape)


def _affine(picture, a, b, c, d, e, f):
    """Of output pixel (x, y): (a x + b y + c, d x + e y + f) of the picture."""
    matrix = (a, b, c, d, e, f)
    return picture.transform(picture.size, Image.Transform.AFFINE, matrix)


def _shear_x(picture, strength, sign):
    return _affine(picture, 1, 0.3 * strength * sign, 0, 0, 1, 0)


def _shear_y(picture, strength, sign):
    return _affine(picture, 1, 0, 0, 0.3 * strength * sign, 1, 0)


def _translate_x(picture, strength, sign):
    moved = 150 / 331 * picture.width * strength * sign
    return _affine(picture, 1, 0, moved, 0, 1, 0)


def _translate_y(picture, strength, sign):
    moved = 150 / 331 * picture.height * strength * sign
    return _affine(picture, 1, 0, 0, 0, 1, moved)


def _enhanced(kind):
    def change(picture, strength, sign):
        return kind(picture).enhance(1.0 + 0.9 * strength * sign)

    return change


# name -> (picture, strength in [0, 1], sign) -> picture. All of the paper but "color",
# which does nothing to a grey image; the full strengths are those of AutoAugment
# (1805.09501, appendix), where translations are 150 of 331 pixels.
OPERATIONS = {
    "identity": lambda picture, strength, sign: picture,
    "autocontrast": lambda picture, strength, sign: ImageOps.autocontrast(picture),
    "equalize": lambda picture, strength, sign: ImageOps.equalize(picture),
    "rotate": lambda picture, strength, sign: picture.rotate(30 * strength * sign),
    "solarize": lambda picture, strength, sign: ImageOps.solarize(
        picture, round(256 * (1 - strength))
    ),
    "posterize": lambda picture, strength, sign: ImageOps.posterize(
        picture, 8 - round(4 * strength)
    ),
    "contrast": _enhanced(ImageEnhance.Contrast),
    "brightness": _enhanced(ImageEnhance.Brightness),
    "sharpness": _enhanced(ImageEnhance.Sharpness),
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
