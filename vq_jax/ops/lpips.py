"""The arithmetic of LPIPS (1801.03924, eq. 1) on features of a pretrained network."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops import folded_columns
from vq_jax.ops.folded_columns import column_sums, spread

# ImageNet's mean and deviation, for images in [-1, 1]: 2 mean - 1 and 2 std, as rounded
# in the authors' code.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10


def standardise(images: Float[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
    """Images in [-1, 1] with ImageNet's mean and deviation taken out of each channel.

    The networks of LPIPS were trained on such images.
    """
    shift, scale = (
        jnp.asarray(x, images.dtype).reshape(1, 1, 1, 3) for x in (SHIFT, SCALE)
    )
    return (images - shift) / scale


def feature_distance(
    a: Float[Array, "b h w c"], b: Float[Array, "b h w c"], weights: Float[Array, "c"]
) -> Float[Array, "b h w"]:
    """Distance of two images at each position of one layer's features, float32.

    Σ_c w_c (â_c - b̂_c)², where â is a / (|a| + 1e-10). Its mean over positions is a
    term of LPIPS.

    Gradients reach all three. Vectors of zeros, which constant images have, stay zeros
    and get none: there the norm has no derivative, and the computed one would be NaN.
    They can be differentiated again in reverse mode; there is no forward
    differentiation (`jax.jvp`).
    """

    def single(a, b, weights):
        return _distance(a, b, weights, 1)

    def pairs(a, b, weights):
        return _distance(folded_columns.fold(a), folded_columns.fold(b), weights, 2)

    if not folded_columns.fit(*a.shape[2:]):
        return single(a, b, weights)
    return lax.platform_dependent(a, b, weights, tpu=pairs, default=single)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _distance(a, b, weights, columns):
    """Of features of which `columns` positions lie side by side, as channels."""
    return _forward(a, b, weights, columns)[0]


def _forward(a, b, weights, columns):
    squares = [column_sums(jnp.square(x.astype(jnp.float32)), columns) for x in (a, b)]
    scales = [tuple(map(_inverse_norm, square)) for square in squares]
    unit_a, unit_b, difference = _units(a, b, scales)
    weighted = _at_columns(weights, columns) * difference
    distance = jnp.concatenate(column_sums(weighted * difference, columns), axis=-1)
    # What a gradient has along its own vector, which normalising takes out of it. It
    # is known here, so that the backward pass has no sums over channels of its own.
    along = [
        tuple(map(_along, column_sums(sign * weighted * unit, columns), square))
        for sign, unit, square in zip((1, -1), (unit_a, unit_b), squares, strict=True)
    ]
    batch, height, width, _ = a.shape
    distance = distance.reshape(batch, height, columns * width)
    return distance, (a, b, weights, scales, along)


def _backward(columns, residuals, cotangent):
    a, b, weights, scales, along = residuals
    channels = len(weights)
    unit_a, unit_b, difference = _units(a, b, scales)
    weighted = _at_columns(weights, columns) * difference
    scale_a, scale_b, along_a, along_b = (
        spread(x, channels) for x in (*scales, *along)
    )
    to_a = scale_a * (weighted - unit_a * along_a)
    to_b = scale_b * (-weighted - unit_b * along_b)
    cotangent = jnp.split(cotangent.reshape(*a.shape[:3], columns), columns, axis=-1)
    cotangent = spread(tuple(cotangent), channels)
    to_weights = jnp.sum(cotangent * jnp.square(difference), axis=(0, 1, 2))
    return (
        (2 * cotangent * to_a).astype(a.dtype),
        (2 * cotangent * to_b).astype(b.dtype),
        to_weights.reshape(columns, channels).sum(0).astype(weights.dtype),
    )


_distance.defvjp(_forward, _backward)


def _units(a, b, scales):
    """Both divided by their norms, and the difference, 0 for equal ones; float32.

    A compiler may round one of two equal products, and keep the digits of the other
    until it has subtracted, which alone would leave a difference.
    """
    channels = a.shape[-1] // len(scales[0])
    scale_a, scale_b = (spread(scale, channels) for scale in scales)
    a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    unit_a, unit_b = a * scale_a, b * scale_b
    equal = (a == b) & (scale_a == scale_b)
    return unit_a, unit_b, jnp.where(equal, 0.0, unit_a - unit_b)


def _at_columns(weights, columns):
    return jnp.tile(weights, columns).reshape(1, 1, 1, -1)


def _inverse_norm(square):
    """1 / (|x| + EPSILON) from |x|²; 0 for vectors of zeros."""
    zero = square == 0.0
    norm = jnp.sqrt(jnp.where(zero, 1.0, square))
    return jnp.where(zero, 0.0, 1.0 / (norm + EPSILON))


def _along(product, square):
    """`product`, a sum over x / (|x| + EPSILON), with x / |x| in that place."""
    norm = jnp.sqrt(jnp.where(square == 0.0, 1.0, square))
    return product * (1.0 + EPSILON / norm)
