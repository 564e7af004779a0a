"""Frequencies of codes: exact sums, none 0, and hardly a bit lost."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from vq_jax.ops import frequencies
from vq_jax.ops.frequencies import TOTAL

LOGITS = hnp.arrays(
    np.float32,
    st.sampled_from([(1, 1), (2, 5)]),  # each shape is compiled
    elements=st.floats(-200, 200, width=32),
)


def _bits_lost(logits, found):
    """Bits that each code takes more than -log2 p, in float64."""
    nats = special.log_softmax(logits.astype(np.float64), axis=-1)
    return nats / np.log(2) - np.log2(found.astype(np.float64) / TOTAL)


@hypothesis.given(LOGITS)
@hypothesis.settings(deadline=None, max_examples=25)
def test_tables_add_up_and_have_no_zero(logits):
    found = np.asarray(frequencies.from_logits(jnp.asarray(logits)))
    assert found.dtype == np.uint32
    assert found.min() >= 1
    assert (found.sum(axis=-1, dtype=np.int64) == TOTAL).all()


@pytest.mark.parametrize("size", [2, 512, 2**14, 2**18])
@pytest.mark.parametrize("scale", [0.0, 1.0, 8.0])
def test_hardly_a_bit_is_lost(size, scale):
    logits = scale * np.random.default_rng(0).normal(size=(4, size)).astype(np.float32)
    found = np.asarray(jax.jit(frequencies.from_logits)(logits))
    assert (found.sum(axis=-1, dtype=np.int64) == TOTAL).all()
    # The float32 rounding of p is relative, and grows with logits.
    allowed = -np.log2(1 - size / TOTAL) + 1e-5
    assert _bits_lost(logits, found).max() < allowed


def test_a_certain_code_costs_as_much_as_the_others_need():
    logits = np.full((1, 512), -np.inf, np.float32)
    logits[0, 3] = 0.0
    (found,) = np.asarray(frequencies.from_logits(jnp.asarray(logits)))
    expected = np.ones(512)
    expected[3] = TOTAL - 511
    np.testing.assert_array_equal(found, expected)


@hypothesis.given(
    hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 2**33))
)
@hypothesis.settings(max_examples=25)
def test_frequencies_of_counts_are_in_proportion(counts):
    counts[0] += 1
    found = frequencies.from_counts(counts).astype(np.int64)
    assert found.min() >= 1
    assert found.sum() == TOTAL
    share = counts / counts.sum()
    wanted = share * (TOTAL - len(counts))
    assert (found >= 1 + np.floor(wanted * (1 - 1e-12))).all()
    others = np.arange(len(counts)) != np.argmax(found)
    assert (found <= 1 + wanted + 1e-6)[others].all()
