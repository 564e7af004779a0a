"""The arithmetic of LPIPS (1801.03924, eq. 1) on features of a pretrained network."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# ImageNet's mean and deviation, for images in [-1, 1]: 2 mean - 1 and 2 std, as rounded
# in the authors' code.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


def standardise(images: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
    """Images in [-1, 1] with ImageNet's mean and deviation taken out of each channel.

    The networks of LPIPS were trained on such images.
    """
    shift, scale = (
        jnp.asarray(x, images.dtype).reshape(1, 1, 1, 3) for x in (SHIFT, SCALE)
    )
    return (images - shift) / scale


def unit_normalise(features: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Each position's feature vector divided by its norm + 1e-10; float32.

    Vectors of zeros, which constant images have, stay zeros and pass no gradient: there
    the norm has no derivative, and the computed one would be NaN.
    """
    features = features.astype(jnp.float32)
    squared = jnp.sum(jnp.square(features), axis=-1, keepdims=True)
    zero = squared == 0.0
    norm = jnp.sqrt(jnp.where(zero, 1.0, squared))
    return jnp.where(zero, 0.0, features / (norm + 1e-10))


def feature_distance(
    a: Float[Array, "b h w c"], b: Float[Array, "b h w c"], weights: Float[Array, "c"]
) -> Float[Array, "b h w"]:
    """Distance of two images at each position of one layer's features, float32.

    Σ_c w_c (â_c - b̂_c)², where hats are `unit_normalise`. Its mean over positions is a
    term of LPIPS.
    """
    difference = jnp.square(unit_normalise(a) - unit_normalise(b))
    return jnp.sum(difference * weights.reshape(1, 1, 1, -1), axis=-1)
