"""Adaptive instance normalisation: statistics of channels, moved between images."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

EPSILON = 1e-5  # far below the deviation of latents; constant channels have none


class ChannelStatistics(NamedTuple):
    """Of each channel of each image, over positions."""

    mean: Float[Array, "b c"]
    std: Float[Array, "b c"]  # of the population


def channel_statistics(features: Float[Array, "b h w c"]) -> ChannelStatistics:
    """Mean and standard deviation of each channel over positions, float32."""
    features = features.astype(jnp.float32)
    return ChannelStatistics(
        jnp.mean(features, axis=(1, 2)), jnp.std(features, axis=(1, 2))
    )


def adain(
    features: Float[Array, "b h w c"],
    statistics: ChannelStatistics,
    strength: Float[Array, ""] | float,
) -> Float[Array, "b h w c"]:
    """Features moved to other statistics (Huang and Belongie 1703.06868, eq. 8, 14).

    (1 - strength) x + strength (std (x - mean of x) / std of x + mean): at 1 the
    statistics are those given, at 0 the features are x. A channel that is constant has
    no deviation to scale, and gets the mean alone.
    """
    x = features.astype(jnp.float32)
    own = channel_statistics(x)
    scale = statistics.std / jnp.sqrt(jnp.square(own.std) + EPSILON**2)
    moved = (x - _wide(own.mean)) * _wide(scale) + _wide(statistics.mean)
    return ((1.0 - strength) * x + strength * moved).astype(features.dtype)


def _wide(values):
    return values[:, None, None, :]
