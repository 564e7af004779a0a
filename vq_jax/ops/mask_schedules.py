"""How many tokens are masked: in a training pass, and after each step of sampling."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

SCHEDULES = ("arccos", "cosine", "cubic", "exp", "linear", "log", "sqrt", "square")


def masked_fraction(schedule: str, progress, num_tokens):
    """γ(r), which falls from 1 to 0 (MaskGIT, 2202.04200v1, section 3.3 and app. A).

    cosine cos(πr/2), linear 1 - r, square 1 - r², cubic 1 - r³, sqrt 1 - √r, and with
    N tokens log -log r / log N and exp 1 - N^(r - 1), cut to [0, 1]. arccos is that of
    the 1d-tokenizer and MaskBit, 2 arccos(r) / π: not cosine but its inverse function,
    2/3 at r = 1/2, where cosine is 0.71. What Muse (2301.00704) calls arccos is the
    density of γ(r) under "cosine" for a uniform r.

    Args:
        progress: r in [0, 1], a float array of NumPy or JAX, as the result.
        num_tokens: N, of those that are masked at first, 2 or more.
    """
    xp = progress.__array_namespace__()
    if schedule == "log":
        fraction = -xp.log(xp.maximum(progress, 1e-12)) / np.log(num_tokens)
        return xp.clip(fraction, 0.0, 1.0)
    return {
        "arccos": lambda r: 2 / np.pi * xp.arccos(r),
        "cosine": lambda r: xp.cos(np.pi / 2 * r),
        "cubic": lambda r: 1 - r**3,
        "exp": lambda r: 1 - xp.exp(np.log(num_tokens) * (r - 1)),
        "linear": lambda r: 1 - r,
        "sqrt": lambda r: 1 - xp.sqrt(r),
        "square": lambda r: 1 - r**2,
    }[schedule](progress)


def masked_counts(
    schedule: str, progress: Float[Array, "b"], num_tokens: int, min_fraction: float
) -> Int[Array, "b"]:
    """Tokens to mask in training: ⌈γ(r) N⌉, where γ is at least `min_fraction`.

    At least one, and at most all of the N.
    """
    fraction = masked_fraction(schedule, progress, max(2, num_tokens))
    fraction = jnp.maximum(fraction, min_fraction)
    counts = jnp.ceil(fraction * num_tokens).astype(jnp.int32)
    return jnp.clip(counts, 1, num_tokens)


def remaining_counts(
    schedule: str, num_steps: int, num_tokens: int
) -> Int[np.ndarray, "steps n"]:
    """Tokens that are still masked after each step, int32 [num_steps, num_tokens + 1].

    The last axis is n, the number masked at first: known tokens are not counted. After
    step t of T that is ⌊γ(t/T) n⌋; but every step unmasks one token or more as long as
    that leaves one for the last step, which leaves none.
    """
    first = np.arange(num_tokens + 1)
    left, rows = first, []
    for step in range(1, num_steps):
        progress = np.float64(step / num_steps)
        fraction = masked_fraction(schedule, progress, np.maximum(2, first))
        # (1 - 3/7) · 7 is 4, but less in floating point.
        wanted = np.floor(fraction * first + 1e-9).astype(int)
        left = np.minimum(left, np.maximum(1, np.minimum(wanted, left - 1)))
        rows.append(left)
    return np.stack([*rows, np.zeros_like(first)]).astype(np.int32)
