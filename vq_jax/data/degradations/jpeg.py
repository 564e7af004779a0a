"""JPEG compression, by Pillow's encoder and decoder."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

Pixels = UInt8[np.ndarray, "_ _ _"]


def compress(image: Pixels, quality: int) -> Pixels:
    """The image after JPEG of this quality, with colours at half resolution (4:2:0).

    Args:
        image: 1 or 3 channels.
        quality: libjpeg's, 1 (worst) to 100.
    """
    is_grey = image.shape[-1] == 1
    stored = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if is_grey else image)
    picture.save(stored, format="JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(stored) as opened:
        return np.array(opened).reshape(image.shape)
