"""Images of any size for a model that takes multiples of its stride."""

import numpy as np
from jaxtyping import UInt8


def pad_to_multiple(
    image: UInt8[np.ndarray, "h w c"], stride: int
) -> UInt8[np.ndarray, "h2 w2 c"]:
    """Grows an image by < stride pixels, at right and bottom, repeating its edge."""
    height, width = image.shape[:2]
    padding = ((0, -height % stride), (0, -width % stride), (0, 0))
    return np.pad(image, padding, mode="edge")
