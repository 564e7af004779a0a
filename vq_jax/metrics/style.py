"""How near a restyled image is to the style image, and to the edges of the content."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8
from skimage import color, filters

from vq_jax.models.perceptual.lpips import Lpips, trunk_features
from vq_jax.ops import gram


def gram_distance(
    net: Lpips,
    params: Mapping,
    images: Float[Array, "b h w c"],
    style: Float[Array, "b h2 w2 c"],
) -> Float[Array, "b"]:
    """Distance in [0, 1] of images to style images, both in [-1, 1]; 0 for equal ones.

    Mean over all layers of `net` of the relative distance of Gram matrices
    (`ops/gram.py`). To be computed in another network than the one that was optimised.
    """
    layers = zip(
        trunk_features(net, params, images),
        trunk_features(net, params, style),
        strict=True,
    )
    distances = [
        gram.relative_distance(*map(gram.gram_matrix, pair)) for pair in layers
    ]
    return jnp.mean(jnp.stack(distances), axis=0)


def edge_correlation(
    image: UInt8[np.ndarray, "h w 3"], content: UInt8[np.ndarray, "h w 3"]
) -> float:
    """Correlation over pixels of how strong edges are, in [-1, 1]: 1 for equal ones.

    Edges are magnitudes of Sobel's filters of the luma. 0 where one has no edges.
    """
    a, b = (filters.sobel(color.rgb2gray(x)).ravel() for x in (image, content))
    a, b = a - a.mean(), b - b.mean()
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm else 0.0
