"""Gradients of several losses from one backward pass of a discriminator D.

For discriminators that are `Discriminator.homogeneous`: an image x has one logit D(x),
which depends on no other image, and D(a x, a b) = a D(x, b) for a > 0, where b are the
biases. A cotangent of the logits then scales all gradients of its image.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import traverse_util
from jaxtyping import Array, Float, PyTree

from vq_jax.losses.adversarial import Scalar

PerImage = Float[Array, "b"]
Images = Float[Array, "b h w c"]

SMALLEST = 1e-20
"""The least cotangent, which gradients are divided by afterwards.

Neither they nor its inverse leave the range of float32 and bfloat16, 1e±38. An image
that a loss does not see, as beyond a hinge, gets this in place of 0.
"""


def of_fakes(
    backward: Callable[[PerImage], tuple[PyTree, Images]],
    for_params: PerImage,
    for_fakes: PerImage,
) -> tuple[PyTree, Images]:
    """`(gradient by parameters, gradient by fakes)`, of two different losses.

    Args:
        backward: the backward pass of `logits(params, fakes)`, from `jax.vjp`.
        for_params: gradient of the discriminator's loss by the fakes' logits.
        for_fakes: that of the generator's loss.
    """
    cotangent = _away_from_zero(for_params)
    by_params, by_fakes = backward(cotangent)
    return by_params, by_fakes * _maps(for_fakes / cotangent)


def with_r1(
    logits: Callable[[PyTree, Images], PerImage],
    params: PyTree,
    images: Images,
    cotangent: PerImage,
    weight: float,
) -> tuple[PyTree, Scalar]:
    """`(gradient by parameters of loss + weight · R1, R1)` of n real images.

    R1 is `adversarial.r1`, the mean of ‖g‖² with g = ∂D/∂x. The gradient of the loss
    by parameters W is that of Σ c D(x), with a cotangent c for each image. That of
    weight · R1 is that of 2 weight/n Σ ∂D/∂x · g, with g as a constant. By Euler,
    D(x) = ∂D/∂(x, b) · (x, b), so both together are the gradient of a directional
    derivative, c and g being constants:

        Σ c ∂D/∂(x, b) · (x + 2 weight / (n c) g, b)

    So there are a forward and a backward pass for g, a forward pass along the
    direction, and its backward pass, which is the same as that for g where D is
    piecewise linear: a compiler makes it once, with the products for W's gradient.

    Args:
        logits: D, by parameters; b are those called "bias".
        cotangent: c, the gradient of the loss by the logits.
        weight: of R1; γ/2 in the papers' terms.
    """
    cotangent = _away_from_zero(cotangent)
    _, backward = jax.vjp(lambda x: logits(params, x), images)
    gradient = backward(cotangent)[0].astype(jnp.float32) / _maps(cotangent)
    scale = 2.0 * weight / (len(images) * cotangent)
    direction = images + _maps(scale) * gradient

    def along_direction(params):
        biases, others = _biases_and_others(params)

        def by_biases(biases, images):
            joined = traverse_util.unflatten_dict({**biases, **others})
            return logits(joined, images)

        _, tangent = jax.jvp(by_biases, (biases, images), (biases, direction))
        return jnp.sum(cotangent * tangent)

    penalty = jnp.mean(jnp.sum(jnp.square(gradient), axis=(1, 2, 3)))
    return jax.grad(along_direction)(params), penalty


def _away_from_zero(cotangent: PerImage) -> PerImage:
    return jnp.where(jnp.abs(cotangent) < SMALLEST, SMALLEST, cotangent)


def _maps(values: PerImage) -> Float[Array, "b 1 1 1"]:
    return values[:, None, None, None]


def _biases_and_others(params: PyTree) -> tuple[dict, dict]:
    flat = traverse_util.flatten_dict(params)
    biases = {path: leaf for path, leaf in flat.items() if path[-1] == "bias"}
    return biases, {path: leaf for path, leaf in flat.items() if path not in biases}
