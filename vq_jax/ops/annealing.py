"""Schedules of a quantizer's temperature over the training steps."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Shape = Literal["constant", "linear", "cosine", "exponential"]


def anneal(
    step: Int[Array, ""], initial: float, final: float, num_steps: int, shape: Shape
) -> Float[Array, ""]:
    """A float32 value that goes from `initial` at step 0 to `final` at `num_steps`.

    It stays at `final` afterwards. "cosine" is DALL-E's schedule (2102.12092, app.
    A.2), "exponential" that of Jang et al. (1611.01144) and needs both values above 0;
    "constant" is always `initial`.
    """
    if shape == "constant" or num_steps == 0:
        return jnp.asarray(initial if shape == "constant" else final, jnp.float32)
    done = jnp.clip(step.astype(jnp.float32) / num_steps, 0.0, 1.0)
    if shape == "exponential":
        return initial * (final / initial) ** done
    if shape == "cosine":
        done = 0.5 * (1.0 - jnp.cos(jnp.pi * done))
    return initial + (final - initial) * done
