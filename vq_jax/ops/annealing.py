"""Schedules of a quantizer's temperature over the training steps."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Shape = Literal["constant", "linear", "cosine", "exponential"]


def anneal(
    step: Int[Array, ""], initial: float, final: float, num_steps: int, shape: Shape
) -> Float[Array, ""]:
    """A float32 value that goes from `initial` at step 0 to `final` at `num_steps`.

    It stays at `final` afterwards. Both ends are exact in float32, and values between
    them keep their digits however small `final` is: something divides by them. "cosine"
    is DALL-E's schedule (2102.12092, app. A.2), "exponential" that of Jang et al.
    (1611.01144) and needs both values above 0; "constant" is always `initial`.
    """
    if shape == "constant" or num_steps == 0:
        return jnp.asarray(initial if shape == "constant" else final, jnp.float32)
    done = step.astype(jnp.float32) / num_steps
    if shape == "exponential":
        value = initial * (final / initial) ** done
    elif shape == "cosine":
        angle = 0.5 * jnp.pi * done
        value = initial * jnp.cos(angle) ** 2 + final * jnp.sin(angle) ** 2
    else:
        value = initial * (1.0 - done) + final * done
    return jnp.where(step < num_steps, value, final)
