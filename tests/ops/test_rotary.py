import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.ops import rotary

POSITIONS = np.float32([[0, 0], [0, 1], [2, 1], [3, 5]])


def _definition(x, positions, base=1e4):
    """Complex numbers times exp(i · angle), in float64."""
    pairs = x.shape[-1] // 4
    turned = np.zeros(x.shape)
    for t, (row, column) in enumerate(positions):
        for i in range(2 * pairs):
            place = row if i < pairs else column
            angle = place / base ** ((i % pairs) / pairs)
            number = complex(x[t, 2 * i], x[t, 2 * i + 1]) * np.exp(1j * angle)
            turned[t, 2 * i : 2 * i + 2] = number.real, number.imag
    return turned


def test_pairs_turn_with_rows_and_columns():
    x = np.random.default_rng(0).normal(size=(3, 4, 12)).astype(np.float32)
    found = rotary.rotate(jnp.asarray(x), rotary.grid_rotation(POSITIONS, 12))
    for row, expected in zip(found, x, strict=True):
        np.testing.assert_allclose(row, _definition(expected, POSITIONS), atol=1e-5)


def test_products_depend_on_the_difference_of_positions_alone():
    query, key = jax.random.normal(jax.random.key(0), (2, 1, 8))

    def product(first, second):
        places = np.float32([first, second])
        q, k = (
            rotary.rotate(x, rotary.grid_rotation(place[None], 8))
            for x, place in zip((query, key), places, strict=True)
        )
        return float(jnp.sum(q * k))

    assert product((3, 1), (1, 4)) == pytest.approx(product((5, 7), (3, 10)), abs=1e-5)
    assert product((3, 1), (1, 4)) != pytest.approx(product((3, 1), (1, 3)), abs=1e-3)


def test_a_head_that_has_no_quarters_is_an_error():
    with pytest.raises(InputError, match=r"head_dim=6 .* multiple of 4"):
        rotary.grid_rotation(POSITIONS, 6)
