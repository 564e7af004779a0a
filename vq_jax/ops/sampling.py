"""Drawing codes from logits: temperature, top-k, top-p, and classifier-free guidance.

All arithmetic is float32, whatever the model computes in: noise in bfloat16 never draws
a rare code.
"""

import dataclasses
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from vq_jax.config import ranges

SCHEDULES = ("constant", "linear", "cosine")


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How codes are drawn; static under `jax.jit`.

    Logits are guided, divided by `temperature`, cut to the `top_k` largest, and these
    to the fewest whose probabilities add up to `top_p`, in this order.

    Guidance is ℓ = ℓ_u + s · (ℓ_c - ℓ_u) of logits with the class and without it
    (classifier-free, 2207.12598, in the convention of LlamaGen): s = 1 is the model
    itself, s = 0 forgets the class. It needs a model that was trained with
    `class_dropout`.

    Attributes:
        temperature: 0 takes the most likely code.
        top_k: number of codes to choose from; 0 is all.
        top_p: mass of codes to choose from, in (0, 1].
        guidance: s, at the end of sampling where it has a schedule.
        guidance_schedule: "constant"; "linear" from 1 at the first draw to s at the
            last; "cosine" likewise, as 1 + (s - 1) · (1 - cos(π rᵖ)) / 2 at the
            fraction r of the draws (RAR, MaskBit).
        guidance_power: p of the cosine schedule.
    """

    temperature: ranges.Weight = 1.0
    top_k: ranges.Natural = 0
    top_p: Annotated[float, ranges.Range(1e-6, 1.0)] = 1.0
    guidance: Annotated[float, ranges.Range(0.0, 1e3)] = 1.0
    guidance_schedule: Literal[SCHEDULES] = "constant"
    guidance_power: ranges.Positive = 1.0

    @property
    def is_guided(self) -> bool:
        """Whether the model is asked without the class, too."""
        return self.guidance != 1.0

    def scales(self, num_draws: int) -> Float[np.ndarray, "n"]:
        """The guidance scale of each of `num_draws` draws, one after the other."""
        fraction = np.arange(num_draws) / max(1, num_draws - 1)
        rise = {
            "constant": np.ones(num_draws),
            "linear": fraction,
            "cosine": (1 - np.cos(np.pi * fraction**self.guidance_power)) / 2,
        }[self.guidance_schedule]
        return (1 + (self.guidance - 1) * rise).astype(np.float32)


def guided(
    conditional: Float[Array, "*b k"], unconditional: Float[Array, "*b k"], scale
) -> Float[Array, "*b k"]:
    """Logits with classifier-free guidance, float32; `scale` 1 is `conditional`."""
    conditional = conditional.astype(jnp.float32)
    unconditional = unconditional.astype(jnp.float32)
    mixed = unconditional + scale * (conditional - unconditional)
    # The sum is rounded; the neutral scale should change no bit.
    return jnp.where(scale == 1.0, conditional, mixed)


def tempered(logits: Float[Array, "*b k"], sampling: Sampling) -> Float[Array, "*b k"]:
    """float32 logits of the law that codes are drawn from: -inf where one is cut off.

    Of equal logits, the lower indices stay. With temperature 0 only the largest stays.
    """
    logits = logits.astype(jnp.float32)
    if sampling.temperature == 0.0:
        return _keep_largest(logits, 1)
    if sampling.temperature != 1.0:
        # The largest becomes 0, so that no temperature makes it infinite.
        logits = logits - jnp.max(logits, axis=-1, keepdims=True)
        logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        logits = _keep_largest(logits, sampling.top_k)
    return logits if sampling.top_p == 1.0 else _keep_mass(logits, sampling.top_p)


def draw(
    keys: Key[Array, "b"], logits: Float[Array, "b *n k"], sampling: Sampling
) -> Int[Array, "b *n"]:
    """Codes from logits, int32: those of a row depend on its own key alone."""
    logits = tempered(logits, sampling)
    if sampling.temperature == 0.0:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)

    def row(key, logits):
        # The default precision never draws what has a probability below 1e-7.
        return jax.random.categorical(key, logits, mode="high")

    return jax.vmap(row)(keys, logits).astype(jnp.int32)


def _keep_largest(logits, count: int):
    _, kept = jax.lax.top_k(logits, count)
    keep = jnp.zeros(logits.shape, bool)
    keep = jnp.put_along_axis(keep, kept, True, axis=-1, inplace=False)
    return jnp.where(keep, logits, -jnp.inf)


def _keep_mass(logits, mass: float):
    order = jnp.argsort(-logits, axis=-1, stable=True)
    probs = jax.nn.softmax(jnp.take_along_axis(logits, order, axis=-1), axis=-1)
    before = jnp.cumsum(probs, axis=-1) - probs
    keep = jnp.take_along_axis(before < mass, jnp.argsort(order, axis=-1), axis=-1)
    return jnp.where(keep, logits, -jnp.inf)
