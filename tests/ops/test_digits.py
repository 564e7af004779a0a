import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import digits

RADICES = (4, 3, 5)


def test_the_orders_count_as_numerals_do():
    # All numerals in the order of counting, the last digit turning fastest.
    numerals = jnp.asarray(list(itertools.product(*map(range, RADICES))))
    np.testing.assert_array_equal(
        digits.to_index(numerals, RADICES, "big"), np.arange(60)
    )
    np.testing.assert_array_equal(
        digits.to_index(numerals[:, ::-1], RADICES[::-1], "little"), np.arange(60)
    )


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("radices", [RADICES, (2,) * 6, (1, 7), (9,)])
def test_every_index_has_its_own_digits_and_back(order, radices):
    size = int(np.prod(radices))
    indices = jnp.arange(size)
    found = np.asarray(digits.from_index(indices, radices, order))
    assert len(np.unique(found, axis=0)) == size
    assert np.all(found >= 0)
    assert np.all(found < np.asarray(radices))
    again = digits.to_index(jnp.asarray(found), radices, order)
    np.testing.assert_array_equal(again, indices)


def test_the_orders_name_the_weight_of_the_first_digit():
    bits = jnp.asarray([1, 0, 0, 0])  # + - - -
    assert digits.to_index(bits, (2,) * 4, "little") == 1
    assert digits.to_index(bits, (2,) * 4, "big") == 8


def test_a_grid_of_indices_keeps_its_shape():
    indices = jnp.asarray([[0, 59, 7], [12, 30, 1]])
    found = digits.from_index(indices, RADICES, "little")
    np.testing.assert_array_equal(found[0, 1], [3, 2, 4])
    np.testing.assert_array_equal(found[1, 0], [0, 0, 1])  # 12 = 4 * 3
    np.testing.assert_array_equal(digits.to_index(found, RADICES, "little"), indices)
