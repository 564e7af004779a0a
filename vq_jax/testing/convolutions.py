"""Other forms of a convolution beside what they stand for."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vq_jax.ops.convolution import LAYOUT


def draw(shape: tuple[int, ...], seed: int) -> Float[Array, "..."]:
    """Float32, from N(0, 1)."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c f"]
) -> Float[Array, "b h w f"]:
    """XLA's own, of stride 1, with zeros around the image."""
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT)


def assert_same_passes(
    form: Callable, definition: Callable, *args, value: dict, gradients: dict
) -> None:
    """That values and gradients of all arguments agree.

    Args:
        value, gradients: tolerances, as `rtol` and `atol` of NumPy.
    """
    found, vjp = jax.vjp(form, *args)
    expected, expected_vjp = jax.vjp(definition, *args)
    cotangent = jax.tree.map(lambda y: draw(y.shape, 9), expected)
    _assert_close(found, expected, **value)
    _assert_close(vjp(cotangent), expected_vjp(cotangent), **gradients)


def assert_same_second_derivatives(
    form: Callable, definition: Callable, x, kernel, **tolerances
) -> None:
    """That the gradients of the squared norm of both gradients agree."""

    def norm_of_gradient(form, x, kernel):
        def total(x, kernel):
            return jnp.sum(jnp.square(form(x, kernel)))

        of_x, of_kernel = jax.grad(total, argnums=(0, 1))(x, kernel)
        return jnp.sum(jnp.square(of_x)) + jnp.sum(jnp.square(of_kernel))

    twice = jax.grad(norm_of_gradient, argnums=(1, 2))
    _assert_close(twice(form, x, kernel), twice(definition, x, kernel), **tolerances)


def _assert_close(found, expected, **tolerances) -> None:
    for ours, theirs in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, **tolerances)
