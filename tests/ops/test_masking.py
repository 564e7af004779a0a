import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import masking


def test_lowest_takes_as_many_as_asked_and_the_first_of_equals():
    scores = jnp.asarray([[3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [0.0, -1.0, jnp.inf]])
    found = masking.lowest(scores, jnp.asarray([2, 2, 0]))
    np.testing.assert_array_equal(found, [[0, 1, 1], [1, 1, 0], [0, 0, 0]])


@pytest.fixture(scope="module")
def drawn():
    """3 masks of 4 tokens, for each of 20,000 keys."""
    keys = jax.random.split(jax.random.key(0), 20_000)
    return np.asarray(jax.vmap(lambda key: masking.bound_masks(key, 3, 4))(keys))


def test_every_mask_has_its_share_of_the_any_order_bound(drawn):
    """1/N for its size, and the same for all masks of the size."""
    numbers = drawn.reshape(-1, 4) @ (2 ** np.arange(4))
    shares = np.bincount(numbers, minlength=16) / len(numbers)
    for mask in itertools.product((0, 1), repeat=4):
        size = sum(mask)
        expected = 1 / (4 * math.comb(4, size)) if size else 0.0
        assert abs(shares[np.dot(mask, 2 ** np.arange(4))] - expected) < 0.005


def test_masks_of_a_bound_have_all_sizes_and_small_ones_hide_different_tokens(drawn):
    sizes = drawn.sum(-1)
    # A third of the range each: 0 to 4/3, to 8/3, to 4.
    np.testing.assert_array_equal(np.unique(sizes[:, 0]), [1, 2])
    np.testing.assert_array_equal(np.unique(sizes[:, 1]), [2, 3])
    np.testing.assert_array_equal(np.unique(sizes[:, 2]), [3, 4])
    apart = sizes[:, 0] + sizes[:, 1] <= 4
    assert not (drawn[:, 0] & drawn[:, 1])[apart].any()


def test_weights_of_a_mask_are_all_tokens_over_the_masked():
    masks = jnp.asarray([[True, False, True, False], [True] * 4])
    found = masking.any_order_weights(masks)
    np.testing.assert_array_equal(found, [[2, 0, 2, 0], [1, 1, 1, 1]])


def test_the_mean_of_masked_is_that_of_rows_and_not_of_tokens():
    values = jnp.asarray([[1.0, 9.0, 9.0], [2.0, 4.0, 6.0]])
    mask = jnp.asarray([[True, False, False], [True, True, True]])
    assert masking.mean_of_masked(values, mask) == (1.0 + 4.0) / 2
