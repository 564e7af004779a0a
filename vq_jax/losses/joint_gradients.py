"""Gradients of several losses from one backward pass of a discriminator.

They hold for discriminators that give an image one logit, which depends on no other
image, so that a cotangent scales all gradients of its image; and those of the real
images for nets that are piecewise linear, too (`Discriminator.piecewise_linear`).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import traverse_util
from jaxtyping import Array, Float, PyTree

from vq_jax.losses.adversarial import Scalar

Each = Float[Array, "b"]
Images = Float[Array, "b h w c"]
SMALLEST = 1e-20  # of a cotangent, which gradients are divided by afterwards


def of_fakes(
    backward: Callable[[Each], tuple[PyTree, Images]],
    of_discriminator: Each,
    of_generator: Each,
) -> tuple[PyTree, Images]:
    """`(gradient by parameters, gradient by fakes)`, of two different losses.

    Args:
        backward: the backward pass of `logits(params, fakes)`, from `jax.vjp`.
        of_discriminator: gradient of the discriminator's loss by the fakes' logits,
            for the parameters.
        of_generator: that of the generator's, for the fakes.
    """
    cotangent = _away_from_zero(of_discriminator)
    grads, by_fakes = backward(cotangent)
    return grads, by_fakes * _each(of_generator / cotangent)


def with_r1(
    logits: Callable[[PyTree, Images], Each],
    params: PyTree,
    images: Images,
    of_loss: Each,
    weight: float,
) -> tuple[PyTree, Scalar]:
    """`(gradient by parameters of loss + weight · R1, R1)` of real images.

    R1 is `adversarial.r1`, the mean of ‖g‖² with g = ∂D(x)/∂x. A net D that is
    piecewise linear in x and in its biases b has D(x) = ∂D/∂(x, b) · (x, b) wherever
    it is differentiable. With c the gradient of the loss by D(x), and the n images' g
    held fast, both gradients are then one of a directional derivative:

        ∂ (c D(x) + weight/n ‖g‖²) = ∂ c ∂D/∂(x, b) · (x + 2 weight / (n c) g, b)

    A forward and a backward pass for g, and another forward pass, along that direction,
    are all it takes: the compiler finds the backward pass of the latter to be the same
    as that for g, which has the cotangent c.

    Args:
        logits: D, by parameters; those called "bias" are b.
        of_loss: c, of each image.
    """
    cotangent = _away_from_zero(of_loss)
    _, backward = jax.vjp(lambda x: logits(params, x), images)
    gradient = backward(cotangent)[0].astype(jnp.float32) / _each(cotangent)
    scale = 2.0 * weight / (len(images) * cotangent)
    direction = images + _each(scale) * gradient

    def along_direction(params):
        biases, others = _biases_and_others(params)

        def by_biases(biases, images):
            joined = traverse_util.unflatten_dict({**biases, **others})
            return logits(joined, images)

        _, tangent = jax.jvp(by_biases, (biases, images), (biases, direction))
        return jnp.sum(cotangent * tangent)

    penalty = jnp.mean(jnp.sum(jnp.square(gradient), axis=(1, 2, 3)))
    return jax.grad(along_direction)(params), penalty


def _away_from_zero(cotangent: Each) -> Each:
    return jnp.where(jnp.abs(cotangent) < SMALLEST, SMALLEST, cotangent)


def _each(values: Each) -> Float[Array, "b 1 1 1"]:
    return values[:, None, None, None]


def _biases_and_others(params) -> tuple[dict, dict]:
    flat = traverse_util.flatten_dict(params)
    biases = {path: leaf for path, leaf in flat.items() if path[-1] == "bias"}
    return biases, {path: leaf for path, leaf in flat.items() if path not in biases}
