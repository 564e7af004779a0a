"""Images made smaller and larger again; Pillow, float32 pixels in [0, 255]."""

import numpy as np
from jaxtyping import Float
from PIL import Image

FloatPixels = Float[np.ndarray, "_ _ _"]

# All widen with the factor, so that nothing is aliased; bicubic is Keys' with a = -½.
KINDS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def scale(image: FloatPixels, shape: tuple[int, int], kind: str) -> FloatPixels:
    """The image with this height and width, float32; it may leave [0, 255] a little.

    Args:
        image: pixels.
        shape: new height and width.
        kind: one of `KINDS`.
    """
    if image.shape[:2] == shape:
        return image.astype(np.float32)
    channels = [
        Image.fromarray(np.ascontiguousarray(image[..., c], np.float32)).resize(
            shape[::-1], KINDS[kind]
        )
        for c in range(image.shape[-1])
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
