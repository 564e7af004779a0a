import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import unmasking
from vq_jax.ops.halton import halton_order

GRIDS = ((1, 1), (2, 2), (3, 5))


def _keys(count):
    return jax.random.split(jax.random.key(0), count)


def _order(priorities):
    """Tokens, those of the highest priority first."""
    return np.argsort(-np.asarray(priorities), axis=-1)


def test_halton_goes_through_one_grid_after_the_other():
    found = _order(unmasking.fixed_priorities("halton", _keys(2), GRIDS))
    expected = np.concatenate([[0], 1 + halton_order(2, 2), 5 + halton_order(3, 5)])
    np.testing.assert_array_equal(found, [expected, expected])
    np.testing.assert_array_equal(unmasking.halton_sequence(GRIDS), expected)


def test_halton_rolled_begins_anywhere_in_the_sequence_of_each_grid():
    found = _order(unmasking.fixed_priorities("halton_rolled", _keys(200), GRIDS))
    last = found[:, 5:] - 5
    starts = [np.flatnonzero(halton_order(3, 5) == row[0])[0] for row in last]
    for row, start in zip(last, starts, strict=True):
        np.testing.assert_array_equal(row, np.roll(halton_order(3, 5), -start))
    assert set(starts) == set(range(15))
    np.testing.assert_array_equal(np.unique(found[:, 1:5]), [1, 2, 3, 4])
    # Grids are rolled independently of each other.
    assert len({(row[1], row[5]) for row in found}) > 40


def test_random_puts_every_token_first_equally_often():
    found = _order(unmasking.fixed_priorities("random", _keys(6_000), ((2, 3),)))
    np.testing.assert_allclose(np.bincount(found[:, 0]) / 6_000, 1 / 6, atol=0.02)


@pytest.mark.parametrize("order", ["halton_rolled", "random"])
def test_the_order_of_a_row_is_that_of_its_key(order):
    together = unmasking.fixed_priorities(order, _keys(5), GRIDS)
    alone = unmasking.fixed_priorities(order, _keys(5)[3:], GRIDS)
    np.testing.assert_array_equal(alone, together[3:])
    assert (together[0] != together[1]).any()


def test_confidence_is_the_log_probability_and_annealed_noise():
    logits = jax.random.normal(jax.random.key(1), (400, 50, 3))
    codes = jnp.asarray(np.random.default_rng(0).integers(0, 3, (400, 50)))
    log_probs = np.take_along_axis(
        np.asarray(jax.nn.log_softmax(logits)), np.asarray(codes)[..., None], axis=-1
    )[..., 0]
    cold = unmasking.confidence(_keys(400), logits, codes, 0.0)
    np.testing.assert_allclose(cold, log_probs, rtol=1e-6)
    warm = unmasking.confidence(_keys(400), logits, codes, 2.0)
    noise = (warm - log_probs) / 2
    # Mean and deviation of Gumbel noise: Euler's constant, and π / √6.
    assert abs(noise.mean() - np.euler_gamma) < 0.03
    assert abs(noise.std() - np.pi / np.sqrt(6)) < 0.03


def test_only_masked_tokens_of_low_priority_stay_masked():
    masked = jnp.asarray([[True, True, False, True], [False, True, False, False]])
    priorities = jnp.asarray([[0.0, -1.0, -9.0, 5.0], [-5.0, 0.0, -5.0, -5.0]])
    found = unmasking.still_masked(masked, priorities, jnp.asarray([2, 1]))
    np.testing.assert_array_equal(found, [[1, 1, 0, 0], [0, 1, 0, 0]])
    none = unmasking.still_masked(masked, priorities, jnp.asarray([0, 0]))
    assert not none.any()
