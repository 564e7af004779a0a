"""Statistics of channels, and how they are moved, against NumPy in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import adain

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, size=(2, 4, 5, 3)).astype(np.float32)
STYLE = RNG.normal(-1.0, 0.5, size=(2, 7, 6, 3)).astype(np.float32)


def _statistics(x):
    return np.float64(x).mean((1, 2)), np.float64(x).std((1, 2))


def test_statistics_are_those_of_each_channel_of_each_image():
    found = adain.channel_statistics(jnp.asarray(STYLE))
    for value, wanted in zip(found, _statistics(STYLE), strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-5)


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_features_move_towards_the_statistics(strength):
    (mean, std), (to_mean, to_std) = _statistics(X), _statistics(STYLE)
    wide = np.s_[:, None, None]
    moved = (X - mean[wide]) / std[wide] * to_std[wide] + to_mean[wide]
    statistics = adain.channel_statistics(jnp.asarray(STYLE))
    found = adain.adain(jnp.asarray(X), statistics, strength)
    wanted = (1 - strength) * X + strength * moved
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    if strength == 1.0:
        reached = adain.channel_statistics(found)
        np.testing.assert_allclose(reached, statistics, rtol=1e-4)


def test_strength_0_changes_no_bit_and_a_constant_channel_gets_the_mean():
    statistics = adain.channel_statistics(jnp.asarray(STYLE))
    found = adain.adain(jnp.asarray(X), statistics, 0.0)
    np.testing.assert_array_equal(found, X)
    flat = adain.adain(jnp.full(X.shape, 7.0), statistics, 1.0)
    wanted = np.broadcast_to(statistics.mean[:, None, None], X.shape)
    np.testing.assert_allclose(flat, wanted, rtol=1e-5)
