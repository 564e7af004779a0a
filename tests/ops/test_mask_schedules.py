import math

import hypothesis
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from vq_jax.ops import mask_schedules
from vq_jax.ops.mask_schedules import SCHEDULES, masked_fraction

# The definitions at a point, worked out by hand, for N = 16.
AT = {
    "arccos": (0.5, 2 / 3),
    "cosine": (0.5, math.sqrt(0.5)),
    "cubic": (0.5, 0.875),
    "exp": (0.5, 0.75),
    "linear": (0.25, 0.75),
    "log": (0.25, 0.5),
    "sqrt": (0.25, 0.5),
    "square": (0.5, 0.75),
}
# Never below "linear".
SLOW = ("arccos", "cosine", "cubic", "linear", "square")


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_its_formula_and_falls_from_one_to_zero(name):
    progress, fraction = AT[name]
    assert abs(masked_fraction(name, np.float64(progress), 16) - fraction) < 1e-12
    r = np.linspace(0, 1, 101)
    exact = masked_fraction(name, r, 16)
    assert (np.diff(exact) <= 0).all()
    assert exact[0] >= 15 / 16  # "exp" masks all but one
    assert abs(exact[-1]) < 1e-12
    found = masked_fraction(name, jnp.asarray(r, jnp.float32), 16)
    np.testing.assert_allclose(found, exact, atol=1e-6)


def test_arccos_is_the_inverse_of_cosine_and_no_cosine():
    r = np.linspace(0, 1, 11)
    cosine = masked_fraction("cosine", r, 16)
    np.testing.assert_allclose(masked_fraction("arccos", cosine, 16), r, atol=1e-12)
    assert np.abs(masked_fraction("arccos", r, 16) - cosine).max() > 0.04


@pytest.mark.parametrize("name", SCHEDULES)
def test_training_masks_the_fraction_rounded_up_one_at_least(name):
    r = np.asarray([0.0, 0.13, 0.5, 0.77, 0.999_999], np.float32)
    counts = mask_schedules.masked_counts(name, jnp.asarray(r), 13, 0.0)
    exact = 13 * masked_fraction(name, r.astype(np.float64), 13)
    np.testing.assert_array_equal(counts, np.clip(np.ceil(exact - 1e-5), 1, 13))
    assert counts.dtype == jnp.int32
    floored = mask_schedules.masked_counts(name, jnp.asarray(r), 13, 0.5)
    np.testing.assert_array_equal(floored, np.maximum(counts, 7))


def test_linear_masks_each_number_of_tokens_equally_often():
    r = (np.arange(700) + 0.5) / 700
    counts = mask_schedules.masked_counts("linear", jnp.asarray(r, "float32"), 7, 0.0)
    np.testing.assert_array_equal(np.bincount(counts), [0] + [100] * 7)


def _left_after_each_step(name, num_steps, first):
    """The definition, for one number of tokens masked at first."""
    left, found = first, []
    for step in range(1, num_steps + 1):
        wanted = masked_fraction(name, np.float64(step / num_steps), max(2, first))
        wanted = math.floor(wanted * first + 1e-9)
        if step == num_steps or left == 0:
            left = 0
        elif left > 1:
            left = min(max(wanted, 1), left - 1)
        found.append(left)
    return found


@hypothesis.given(st.sampled_from(SCHEDULES), st.integers(1, 12), st.integers(0, 9))
@hypothesis.settings(deadline=None)
def test_remaining_counts_match_the_definition(name, num_steps, num_tokens):
    table = mask_schedules.remaining_counts(name, num_steps, num_tokens)
    assert table.shape == (num_steps, num_tokens + 1)
    for first in range(num_tokens + 1):
        expected = _left_after_each_step(name, num_steps, first)
        np.testing.assert_array_equal(table[:, first], expected)


def test_remaining_counts_of_maskgit():
    """⌊256 cos(πt/16)⌋, of which the last is 0."""
    found = mask_schedules.remaining_counts("cosine", 8, 256)[:, 256]
    np.testing.assert_array_equal(found, [251, 236, 212, 181, 142, 97, 49, 0])


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("num_tokens", [1, 7, 49, 256])
def test_as_many_steps_as_tokens_unmask_one_a_step(name, num_tokens):
    left = mask_schedules.remaining_counts(name, num_tokens, num_tokens)[:, -1]
    np.testing.assert_array_equal(left, np.arange(num_tokens)[::-1])
