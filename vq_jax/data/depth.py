"""Images of more than 8 bits a channel, as 8: which value is white, and the scaling."""

import dataclasses
import re

import numpy as np
from absl import logging
from jaxtyping import UInt8
from PIL import Image

from vq_jax.data import tiff
from vq_jax.errors import InputError

# A 16-bit file without a value above this may hold the 12 bits of a camera.
TWELVE_BITS = 4095

# Pillow's names of layouts; the 16 bits of BGR;16 are those of a whole pixel.
DEEP_COLOR = re.compile(r"\b(RGB|LA|CMYK)\w*;16")


@dataclasses.dataclass(frozen=True)
class Scale:
    """How the values of a deep image become those of 8 bits.

    Attributes:
        white: The value that becomes 255; 0 where neither the file nor the user says.
        inverted: Whether that value is black, and 0 white.
        given: Whether the user said what is white.
    """

    white: float
    inverted: bool
    given: bool


def is_grey(image: Image.Image) -> bool:
    """Whether Pillow gives values of more than 8 bits, which it does for grey only."""
    return image.mode.startswith(("I", "F"))


def is_deep_color(image: Image.Image) -> bool:
    """Whether an opened image is of 16-bit colour: Pillow keeps the high bytes."""
    return any(DEEP_COLOR.search(str(tile)) for tile in image.tile)


def check_color(image: Image.Image, white_point: int | float) -> None:
    """Warns of a loaded image of 16-bit colour that is nearly black.

    Raises:
        InputError: `white_point` is given; the bits that it would need are lost.
    """
    if white_point:
        raise InputError(
            "16-bit colour is read by its high bytes, so that config.data.white_point"
            f"={white_point:g} can't act on it; save the image with 8 bits a channel."
        )
    if image.mode == "CMYK":  # of inks, where 0 is white
        return
    bands = image.split()[:3] if image.mode != "LA" else image.split()[:1]
    high = max(band.getextrema()[1] for band in bands)
    if 0 < high <= TWELVE_BITS >> 8:
        warn_of_dark(f"16-bit colour reaches only to {257 * high}")


def scale_of(image: Image.Image, white_point: int | float) -> Scale:
    """The scale of a deep grey image that is opened and not yet loaded.

    `white_point` is the user's white, or 0 for the file's: the largest value of its
    bits, which integers of 32 bits and floating-point numbers do not have.
    """
    return Scale(
        white=float(white_point) or _white(image),
        inverted=tiff.min_is_white(image),
        given=white_point > 0,
    )


def _white(image: Image.Image) -> float:
    if image.format == "TIFF":
        return tiff.white(image)
    # Pillow scales the 9 to 16 bits of other formats to 16.
    return 0.0 if image.mode == "F" else 65535.0


def to_eight_bits(
    values: np.ndarray, scale: Scale, mode: str
) -> UInt8[np.ndarray, "h w"]:
    """The values from 0 to white as 0 to 255, rounded; what is above white is white.

    65535 / 257 is exactly 255, so that the white of 16 bits stays white.

    Raises:
        InputError: Values below 0 or infinite, or nobody says which one is white.
    """
    low, high = values.min(), values.max()
    found = f"pixels of mode {mode!r} reach from {low} to {high}"
    # Comparisons with NaN are false.
    if not (low >= 0 and high < np.inf):
        raise InputError(f"{found}; save the image with 8 or 16 bits a channel.")
    if not scale.white or (high > scale.white and not scale.given):
        raise InputError(
            f"{found}, and the file does not say which value is white; set"
            " config.data.white_point to it, or save the image with 8 or 16 bits."
        )
    if scale.white == 65535 and not scale.given and 0 < high <= TWELVE_BITS:
        warn_of_dark(f"16-bit grey reaches only to {high}")
    levels = np.divide(values, scale.white / 255, dtype=np.float32)
    levels = np.clip(np.round(levels, out=levels), 0, 255, out=levels).astype(np.uint8)
    return 255 - levels if scale.inverted else levels


def warn_of_dark(found: str) -> None:
    """Logs, once a process, that images may be meant to be brighter."""
    logging.log_first_n(
        logging.WARNING,
        "%s: nearly black. If it has fewer than 16 bits, set config.data.white_point,"
        " for 12 bits to 4095; colour has to be saved anew. (Said once.)",
        1,
        found,
    )
