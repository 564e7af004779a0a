"""The search in blocks is the search."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from vq_jax.ops import distances
from vq_jax.testing import reference

# Few shapes, since each one compiles, but every kind: one code, blocks of one code,
# that divide the codebook, that do not, that overlap by all but one, larger than it.
SHAPES = [(1, 1), (1, 4), (7, 1), (12, 4), (13, 4), (13, 12), (13, 99)]


def _whole_numbers(rng, *shape):
    """Small: many ties, and no rounding that could decide one."""
    return rng.integers(-2, 3, shape).astype(np.float32)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 2**16))
def test_blocks_give_the_brute_force_answer_with_ties(shape, seed):
    size, block = shape
    rng = np.random.default_rng(seed)
    z, codes = _whole_numbers(rng, 9, 2), _whole_numbers(rng, size, 2)
    found = distances.nearest_code(jnp.asarray(z), jnp.asarray(codes), block_size=block)
    np.testing.assert_array_equal(found, reference.nearest_code(z, codes))


@pytest.mark.parametrize("size", [256, 257, 300, 383])
def test_automatic_blocks_give_the_brute_force_answer_with_ties(size, monkeypatch):
    monkeypatch.setattr(distances, "MAX_SCORES", 1)  # the smallest: 128 codes
    rng = np.random.default_rng(size)
    z, codes = _whole_numbers(rng, 2, 6, 4), _whole_numbers(rng, size, 4)
    found = jax.jit(distances.nearest_code)(z, codes)
    expected = reference.nearest_code(z.reshape(-1, 4), codes)
    np.testing.assert_array_equal(found, expected.reshape(2, 6))
    assert expected.max() >= 128  # else the first block alone would do


def test_the_block_size_picks_itself_and_memory_stays_below_the_full_matrix(
    monkeypatch,
):
    monkeypatch.setattr(distances, "MAX_SCORES", 2**18)
    z = jax.ShapeDtypeStruct((1_024, 8), jnp.float32)
    codes = jax.ShapeDtypeStruct((2**14, 8), jnp.float32)
    compiled = jax.jit(distances.nearest_code).lower(z, codes).compile()
    full = 4 * 1_024 * 2**14
    assert compiled.memory_analysis().temp_size_in_bytes < full / 8


def test_blocks_of_real_codes_agree_with_one_block_up_to_near_ties():
    z = jax.random.normal(jax.random.key(0), (64, 16))
    codes = jax.random.normal(jax.random.key(1), (1_000, 16))
    one = distances.nearest_code(z, codes, block_size=1_000)
    many = distances.nearest_code(z, codes, block_size=96)
    squared = np.asarray(distances.squared_distances(z, codes))
    rows = np.arange(64)
    np.testing.assert_allclose(squared[rows, one], squared[rows, many], rtol=1e-5)
    assert np.mean(one == many) > 0.99


@pytest.mark.parametrize("index", [0, 5, 6, 12])
def test_the_overlap_of_the_last_block_does_not_count_twice(index):
    codes = np.full((13, 2), 9.0, np.float32)
    codes[[index, 12]] = 0.0  # the lowest of two equal codes wins
    z = jnp.zeros((3, 2))
    found = distances.nearest_code(z, jnp.asarray(codes), block_size=7)
    np.testing.assert_array_equal(found, [index] * 3)
