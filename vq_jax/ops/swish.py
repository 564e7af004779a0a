"""Swish, whose gradient keeps x and nothing else."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def swish(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """x σ(x) (1710.05941), elementwise, in the dtype of x: `jax.nn.swish`.

    In float32 it has a gradient of its own, with the same values up to rounding. JAX's
    saves σ(x) beside x, on CPUs a map in memory for each swish of a step; here x is
    saved alone. It can be differentiated again in reverse mode; there is no
    forward-mode derivative. bfloat16 is for accelerators, whose compilers fuse σ(x).
    """
    return _keeping_x(x) if x.dtype == jnp.float32 else jax.nn.swish(x)


@jax.custom_vjp
def _keeping_x(x):
    return jax.nn.swish(x)


def _forward(x):
    return _keeping_x(x), x


def _backward(x, cotangent):
    # σ(x) by another formula than in the forward pass: XLA computes but once what is
    # written alike, and would keep it. From 30 on the derivative is 1 after rounding,
    # and eˣ does not overflow before.
    x = jnp.minimum(x, 30.0)
    exponential = jnp.exp(x)
    one_less_sigmoid = 1 / (1 + exponential)
    sigmoid = exponential * one_less_sigmoid
    return (cotangent * sigmoid * (1 + x * one_less_sigmoid),)


_keeping_x.defvjp(_forward, _backward)
