"""Levels of tokens, and which tokens see which."""

import numpy as np

from vq_jax.ops.block_causal import block_causal_mask, level_of_token

GRIDS = ((1, 1), (1, 2), (2, 3))


def test_levels_count_the_tokens_of_each_grid():
    np.testing.assert_array_equal(level_of_token(GRIDS), [0, 1, 1, 2, 2, 2, 2, 2, 2])


def test_a_token_sees_its_own_grid_and_coarser_ones():
    mask = block_causal_mask(GRIDS)
    seen = [1] + [3] * 2 + [9] * 6
    for row, count in zip(mask, seen, strict=True):
        np.testing.assert_array_equal(row, np.arange(9) < count)
