"""Temperature, top-k, top-p and guidance against their definitions in NumPy."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from vq_jax.ops import sampling
from vq_jax.ops.sampling import Sampling, draw, guided, tempered


def _definition(logits, rules):
    """Probabilities of one row's codes, in float64."""
    if rules.temperature == 0:
        return np.eye(len(logits))[np.argmax(logits)]
    logits = logits.astype(np.float64) / rules.temperature
    ranked = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    kept = ranked[: rules.top_k or None]
    probs, mass, nucleus = special.softmax(logits[kept]), 0.0, []
    for code, prob in zip(kept, probs, strict=True):
        if mass < rules.top_p:
            nucleus.append(code)
        mass += prob
    law = np.zeros(len(logits))
    law[nucleus] = special.softmax(logits[nucleus])
    return law


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    temperature=st.sampled_from([0.0, 0.3, 1.0, 4.0]),
    top_k=st.integers(0, 9),
    top_p=st.sampled_from([0.1, 0.55, 0.9, 1.0]),
)
def test_the_law_is_that_of_the_definition(seed, temperature, top_k, top_p):
    rng = np.random.default_rng(seed)
    # Whole numbers, of which many are equal; halves keep cumulated sums off the edges.
    logits = rng.integers(-2, 3, (4, 7)).astype(np.float32)
    rules = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    found = jax.nn.softmax(tempered(jnp.asarray(logits), rules), axis=-1)
    for row, law in zip(logits, np.asarray(found), strict=True):
        np.testing.assert_allclose(law, _definition(row, rules), atol=1e-6)


def test_of_equal_logits_the_lower_codes_stay():
    logits = jnp.asarray([[1.0, 3.0, 3.0, 3.0]])
    for rules in (Sampling(top_k=2), Sampling(top_p=0.5)):
        kept = np.isfinite(tempered(logits, rules))
        np.testing.assert_array_equal(kept, [[False, True, True, False]])
    kept = np.isfinite(tempered(logits, Sampling(temperature=0.0)))
    np.testing.assert_array_equal(kept, [[False, True, False, False]])


@pytest.mark.parametrize("rules", [Sampling(top_k=4), Sampling(top_k=9), Sampling()])
def test_rules_that_keep_all_codes_change_no_bit(rules):
    logits = jax.random.normal(jax.random.key(0), (3, 4))
    np.testing.assert_array_equal(tempered(logits, rules), logits)


@pytest.mark.parametrize("rules", [Sampling(), Sampling(top_k=3), Sampling(top_p=0.9)])
def test_no_temperature_is_too_small(rules):
    """-90 / 1e-37 is -inf in float32, and 90 / 1e-37 would be inf."""
    logits = jnp.asarray([[-90.0, 80.0, 90.0, 89.0]])
    cold = dataclasses.replace(rules, temperature=1e-37)
    np.testing.assert_array_equal(
        jax.nn.softmax(tempered(logits, cold)), [[0, 0, 1, 0]]
    )


def test_draws_follow_the_law():
    logits = np.array([2.0, 0.0, -3.0, 1.0, 1.0], np.float32)
    rules = Sampling(temperature=0.8, top_k=4)
    keys = jax.random.split(jax.random.key(0), 20_000)
    drawn = draw(keys, jnp.broadcast_to(logits, (20_000, 5)), rules)
    counts = np.bincount(drawn, minlength=5)
    law = _definition(logits, rules)
    assert counts[law == 0].sum() == 0
    kept = law > 0
    assert stats.chisquare(counts[kept], 20_000 * law[kept]).pvalue > 1e-3


def test_rare_codes_get_noise_of_high_precision():
    """Noise of 23 bits ends at 16: what is rarer than 1e-7 would never be drawn."""
    logits = jax.random.normal(jax.random.key(0), (64, 9))

    def row(key, logits):
        noise = jax.random.gumbel(key, logits.shape, mode="high")
        return jnp.argmax(logits + noise)

    keys = jax.random.split(jax.random.key(1), 64)
    drawn = draw(keys, logits, Sampling())
    keys = jax.random.split(jax.random.key(1), 64)
    np.testing.assert_array_equal(drawn, jax.vmap(row)(keys, logits))


def test_bfloat16_logits_are_drawn_from_in_float32():
    logits = jnp.asarray([[0.0, 0.001]], jnp.bfloat16)
    assert tempered(logits, Sampling()).dtype == jnp.float32
    assert guided(logits, logits, 2.0).dtype == jnp.float32


def test_guidance_moves_away_from_the_law_without_the_class():
    rng = np.random.default_rng(0)
    with_class, without = rng.normal(size=(2, 3, 5)).astype(np.float32)
    for scale in (0.0, 0.5, 1.0, 3.0):
        expected = without + scale * (with_class - without)
        np.testing.assert_allclose(
            guided(jnp.asarray(with_class), jnp.asarray(without), scale),
            expected,
            rtol=1e-5,
            atol=1e-6,
        )
    same = guided(jnp.asarray(with_class), jnp.asarray(without), 1.0)
    np.testing.assert_array_equal(same, with_class)


def test_scales_of_guidance():
    make = functools.partial(Sampling, guidance=4.0)
    np.testing.assert_array_equal(make().scales(3), [4, 4, 4])
    linear = make(guidance_schedule="linear").scales(4)
    np.testing.assert_allclose(linear, [1, 2, 3, 4])
    cosine = make(guidance_schedule="cosine", guidance_power=2.0).scales(5)
    fraction = np.array([0, 0.25, 0.5, 0.75, 1])
    expected = 1 + 3 * (1 - np.cos(np.pi * fraction**2)) / 2
    np.testing.assert_allclose(cosine, expected, rtol=1e-6)
    for schedule in sampling.SCHEDULES:
        rules = Sampling(guidance_schedule=schedule)
        assert not rules.is_guided
        np.testing.assert_array_equal(rules.scales(4), np.ones(4))
        assert make(guidance_schedule=schedule).scales(1).shape == (1,)


def test_a_row_has_the_draws_of_its_own_key():
    logits = jax.random.normal(jax.random.key(0), (4, 6, 5))
    together = draw(jax.random.split(jax.random.key(1), 4), logits, Sampling())
    assert together.shape == (4, 6)
    assert together.dtype == jnp.int32
    keys = jax.random.split(jax.random.key(1), 4)
    for i in range(4):
        alone = draw(keys[i : i + 1], logits[i : i + 1], Sampling())
        np.testing.assert_array_equal(alone[0], together[i])
