"""Schedules of temperatures and weights."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Shape = Literal["constant", "linear", "cosine", "exponential"]


def anneal(
    step: Int[Array, ""], start: float, end: float, num_steps: int, shape: Shape
) -> Float[Array, ""]:
    """From `start` at step 0 to `end` at `num_steps` and after; float32.

    cosine is DALL-E's (2102.12092, app. A.2), exponential that of Jang et al.
    (1611.01144) and needs start and end above 0; constant is always `start`.
    """
    if shape == "constant" or num_steps == 0:
        return jnp.asarray(start if shape == "constant" else end, jnp.float32)
    done = jnp.clip(step.astype(jnp.float32) / num_steps, 0.0, 1.0)
    if shape == "exponential":
        return start * (end / start) ** done
    if shape == "cosine":
        done = 0.5 * (1.0 - jnp.cos(jnp.pi * done))
    return start + (end - start) * done
