"""Ranks of positions are orders at random, and those of blocks stay together."""

import jax
import numpy as np
import pytest

from vq_jax.ops.code_choice import BLOCK, position_ranks


@pytest.mark.parametrize("choice", ["random", "blocks"])
def test_ranks_number_all_positions(choice):
    first, again, other = (
        np.asarray(position_ranks(jax.random.key(seed), (6, 11), choice))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(np.sort(first.ravel()), np.arange(66))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_each_position_comes_first_as_often_as_any_other():
    keys = jax.random.split(jax.random.key(3), 1200)
    ranks = jax.vmap(lambda key: position_ranks(key, (2, 3), "random"))(keys)
    counts = np.bincount(np.asarray(ranks).reshape(-1, 6).argmin(axis=1), minlength=6)
    # Binomial: 200 expected, a standard deviation of 13.
    assert np.abs(counts - 200).max() < 52


def test_a_block_is_whole_before_the_next_one_begins():
    ranks = np.asarray(position_ranks(jax.random.key(5), (6, 11), "blocks"))
    blocks = [
        ranks[top : top + BLOCK, left : left + BLOCK]
        for top in range(0, 6, BLOCK)
        for left in range(0, 11, BLOCK)
    ]
    for block in blocks:
        assert block.max() - block.min() + 1 == block.size
    firsts = [block.min() for block in blocks]
    assert firsts != sorted(firsts)
    # Within a block, too, the order is one at random.
    assert (np.diff(blocks[0].ravel()) != 1).any()
