"""Random orders in training, known codes first in sampling."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax import InputError
from vq_jax.models.priors.base import PROGRESS, STREAMS, Known
from vq_jax.models.priors.causal import permuted, unpermuted
from vq_jax.ops.sampling import Sampling
from vq_jax.testing import priors
from vq_jax.testing.priors import grid_layout

GRID = grid_layout(2, 3, 5)


@functools.cache
def _random(**fields):
    prior = priors.build("random_order", GRID, num_classes=2, **fields)
    return prior, priors.variables(prior, random=0.5)


def _codes(count):
    codes = np.random.default_rng(0).integers(0, 5, (count, 2, 3), np.int32)
    return jnp.asarray(codes), jnp.zeros(count, jnp.int32)


@functools.partial(jax.jit, static_argnums=0)
def _log_prob(prior, variables, codes, labels):
    return prior.apply(variables, codes, labels, method="log_prob")


@functools.partial(jax.jit, static_argnums=0)
def _loss(prior, variables, step):
    rngs = dict(zip(STREAMS, jax.random.split(jax.random.key(0), 3), strict=True))
    variables = {**variables, PROGRESS: {"step": step}}
    return prior.apply(variables, *_codes(4), method="loss", rngs=rngs).loss


def test_in_raster_order_it_is_gpt():
    """With one table of positions, the sum of both."""
    prior, variables = _random()
    params = dict(variables["params"])
    params["positions"] = params["positions"][:-1] + params.pop("targets")
    gpt = priors.build("gpt", GRID, num_classes=2)
    codes, labels = _codes(3)
    found = _log_prob(prior, variables, codes, labels)
    expected = _log_prob(gpt, {"params": params}, codes, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_after_the_last_random_step_training_is_in_raster_order():
    prior, variables = _random(random_until=10, raster_from=20)
    nats = -np.mean(_log_prob(prior, variables, *_codes(4))) / 6
    for step in (20, 25):
        np.testing.assert_allclose(_loss(prior, variables, step), nats, rtol=1e-5)
    assert abs(_loss(prior, variables, 0) - nats) > 1e-3


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (10, 1.0), (15, 0.5), (20, 0.0)])
def test_the_share_of_random_orders_falls_linearly(step, share):
    prior, variables = _random(random_until=10, raster_from=20)
    orders = np.asarray(
        prior.apply(
            {**variables, PROGRESS: {"step": jnp.int32(step)}},
            10_000,
            method="_training_order",
            rngs={"corruption": jax.random.key(0)},
        )
    )
    np.testing.assert_array_equal(np.sort(orders), np.tile(np.arange(6), (10_000, 1)))
    # One random order of 720 is that of the sequence.
    changed = np.mean((orders != np.arange(6)).any(axis=1))
    assert abs(changed - share * 719 / 720) < 0.015
    firsts = np.bincount(orders[:, 0], minlength=6) / len(orders)
    expected = np.full(6, share / 6)
    expected[0] += 1 - share
    np.testing.assert_allclose(firsts, expected, atol=0.015)


def test_random_orders_that_end_before_they_become_fewer_are_an_error():
    fields = {"random_until": 20, "raster_from": 10}
    with pytest.raises(InputError, match="random_until=20 must not come after"):
        priors.variables(priors.build("random_order", GRID, **fields))


def test_permuting_is_undone():
    order = jnp.argsort(jax.random.uniform(jax.random.key(0), (3, 6)), axis=1)
    sequence = jnp.arange(18).reshape(3, 6)
    there = permuted(sequence, order)
    np.testing.assert_array_equal(there[:, 0], sequence[jnp.arange(3), order[:, 0]])
    np.testing.assert_array_equal(unpermuted(there, order), sequence)


def test_drawn_codes_depend_on_known_ones_that_lie_behind_them():
    prior, variables = _random()
    codes, labels = _codes(64)
    mask = jnp.zeros(codes.shape, bool).at[:, 1, 2].set(True)

    @jax.jit
    def draw(codes):
        keys = jax.vmap(jax.random.key)(jnp.arange(64))
        known = Known(codes, mask)
        return prior.apply(variables, keys, labels, Sampling(), known, method="sample")

    drawn, other = draw(codes.at[:, 1, 2].set(0)), draw(codes.at[:, 1, 2].set(4))
    assert jnp.all(drawn[:, 1, 2] == 0)
    assert jnp.all(other[:, 1, 2] == 4)
    assert jnp.any(drawn[:, 0] != other[:, 0])


def test_in_any_order_the_cache_changes_no_logits():
    prior, variables = _random()
    codes, labels = _codes(3)
    order = jnp.argsort(jax.random.uniform(jax.random.key(0), (3, 6)), axis=1)
    sequence = permuted(GRID.to_sequence(codes), order)
    apply = functools.partial(prior.apply, variables)
    predict = functools.partial(apply, method="_predict", train=False)
    expected = jax.jit(predict)(labels, sequence, order)
    begin = jax.jit(functools.partial(apply, method="begin"))
    advance = jax.jit(functools.partial(apply, method="advance"))
    logits, caches = begin(labels, sequence[:, :2], order)
    for i in range(2, 6):
        np.testing.assert_allclose(logits, expected[:, i], rtol=1e-5, atol=1e-5)
        if i < 5:
            logits, caches = advance(sequence[:, i], caches, jnp.int32(i), order)
