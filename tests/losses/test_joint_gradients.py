import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.losses import adversarial, joint_gradients
from vq_jax.testing.convolutions import convolve

RNG = np.random.default_rng(0)


def _array(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


IMAGES = _array(4, 6, 6, 2)
PARAMS = {
    "conv": {"kernel": _array(3, 3, 2, 5), "bias": _array(5)},
    "hidden": {"kernel": _array(5, 7), "bias": _array(7)},
    "logit": {"kernel": _array(7), "bias": _array()},
}


def _logits(params, images):
    """Of a net that is homogeneous in images and biases."""
    x = convolve(images, params["conv"]["kernel"])
    x = jax.nn.leaky_relu(x + params["conv"]["bias"].reshape(1, 1, 1, -1), 0.2)
    x = jnp.mean(x, axis=(1, 2)) @ params["hidden"]["kernel"]
    x = jax.nn.leaky_relu(x + params["hidden"]["bias"][None])
    return 0.1 * (x @ params["logit"]["kernel"] + params["logit"]["bias"])


def _close(found, expected, rtol=1e-4):
    def compare(found, expected):
        atol = 1e-5 * float(jnp.max(jnp.abs(expected)))
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)

    jax.tree.map(compare, found, expected)


def test_one_pass_of_the_fakes_gives_the_gradients_of_two_losses():
    def of_discriminator(fake):
        return jnp.mean(jax.nn.softplus(fake)) + jnp.mean(fake) ** 2

    def of_generator(fake):
        return jnp.mean(jax.nn.softplus(-fake))

    fake, backward = jax.vjp(_logits, PARAMS, IMAGES)
    found = joint_gradients.of_fakes(
        backward, jax.grad(of_discriminator)(fake), jax.grad(of_generator)(fake)
    )
    by_params = jax.grad(lambda p: of_discriminator(_logits(p, IMAGES)))(PARAMS)
    by_fakes = jax.grad(lambda x: of_generator(_logits(PARAMS, x)))(IMAGES)
    _close(found, (by_params, by_fakes))


@pytest.mark.parametrize("weight", [0.0, 0.01, 40.0])
def test_one_pass_of_the_real_images_gives_the_gradient_of_the_loss_and_r1(weight):
    def loss(real):
        return jnp.mean(jax.nn.softplus(-real)) + jnp.mean(real) ** 2

    def objective(params):
        penalty = adversarial.r1(functools.partial(_logits, params), IMAGES)
        return loss(_logits(params, IMAGES)) + weight * penalty

    of_loss = jax.grad(loss)(_logits(PARAMS, IMAGES))
    grads, penalty = joint_gradients.with_r1(_logits, PARAMS, IMAGES, of_loss, weight)
    _close(grads, jax.grad(objective)(PARAMS))
    expected = adversarial.r1(functools.partial(_logits, PARAMS), IMAGES)
    np.testing.assert_allclose(penalty, expected, rtol=1e-5)


def test_images_that_a_loss_does_not_see_have_the_gradients_of_the_other():
    """As those with logits beyond the hinge."""
    seen = jnp.asarray([1.0, 0.0, 0.0, 1.0])
    _, backward = jax.vjp(_logits, PARAMS, IMAGES)
    by_params, by_fakes = joint_gradients.of_fakes(backward, seen, 1.0 - seen)
    _close(by_params, backward(seen)[0])
    _close(by_fakes, backward(1.0 - seen)[1])

    found, _ = joint_gradients.with_r1(_logits, PARAMS, IMAGES, seen, 2.0)
    penalty = jax.grad(
        lambda p: 2.0 * adversarial.r1(functools.partial(_logits, p), IMAGES)
    )(PARAMS)
    _close(found, jax.tree.map(jnp.add, penalty, backward(seen)[0]))
