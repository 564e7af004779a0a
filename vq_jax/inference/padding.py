"""Images of any size for a model that takes multiples of its stride."""

import numpy as np
from jaxtyping import UInt8

from vq_jax.errors import InputError


def check_image(name: str, image: np.ndarray, channels: int) -> None:
    """Raises InputError where this is no image of so many channels."""
    good = image.dtype == np.uint8 and image.ndim == 3 and min(image.shape) > 0
    if not good or image.shape[-1] != channels:
        raise InputError(
            f"{name} is {image.dtype} {image.shape}; give uint8 "
            f"[h, w, {channels}], 0 to 255."
        )


def pad_to_multiple(
    image: UInt8[np.ndarray, "h w c"], stride: int
) -> UInt8[np.ndarray, "h2 w2 c"]:
    """Grows an image by < stride pixels, at right and bottom, repeating its edge."""
    if _fits(image, stride):
        return image
    height, width = image.shape[:2]
    padding = ((0, -height % stride), (0, -width % stride), (0, 0))
    return np.pad(image, padding, mode="edge")


def pad_to_few(
    image: UInt8[np.ndarray, "h w c"], stride: int
) -> UInt8[np.ndarray, "h2 w2 c"]:
    """Grows an image that does not fit the stride, to one of few sizes; see above.

    A side becomes stride x {1, …, 8, 10, 12, 14, 16, 20, …}: four sizes an octave, and
    less than a quarter more. A model is compiled for every size that it meets.
    """
    if _fits(image, stride):
        return image
    padding = [(0, _few(side, stride) - side) for side in image.shape[:2]]
    return np.pad(image, (*padding, (0, 0)), mode="edge")


def _fits(image: np.ndarray, stride: int) -> bool:
    return not (image.shape[0] % stride or image.shape[1] % stride)


def _few(side: int, stride: int) -> int:
    """The next number of three significant bits, times the stride."""
    multiple = -(-side // stride)
    step = 1 << max(0, multiple.bit_length() - 3)
    return -(-multiple // step) * step * stride
