import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from vq_jax.ops import finite_scalar


def _fsq_bound(z: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The function `bound` in the listing of FSQ's appendix (2309.15505)."""
    half = (levels - 1) * (1 - 1e-3) / 2
    offset = np.where(levels % 2 == 1, 0.0, 0.5)
    shift = np.tan(offset / half)
    return np.tanh(np.float64(z) + shift) * half - offset


def _fsq_atanh_bound(z: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The bound of PyTorch ports, whose shift maps 0 to 0."""
    half = (levels - 1) * (1 + 1e-3) / 2
    offset = np.where(levels % 2 == 1, 0.0, 0.5)
    return np.tanh(np.float64(z) + np.arctanh(offset / half)) * half - offset


def _fsq_quantize(z: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(codes, digits) of the same listing: bounded, rounded and divided by L // 2."""
    codes = np.round(_fsq_bound(z, levels)) / (levels // 2)
    return codes, codes * (levels // 2) + levels // 2


def _symmetric_quantize(
    z: np.ndarray, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(codes, digits) on the uniform grid over [-1, 1] (2411.19842, sec. 3.2)."""
    digits = np.floor((levels - 1) * (np.tanh(np.float64(z)) + 1) / 2 + 0.5)
    return 2 * digits / (levels - 1) - 1, digits


BOUNDS = ["tan", "atanh", "symmetric", "clip"]
LEVELS = (2, 3, 4, 5, 8)
LEVELS64 = np.asarray(LEVELS)


def _digits(z, bound):
    position = finite_scalar.bounded(z, LEVELS, bound)
    return np.asarray(finite_scalar.to_digits(position, LEVELS, bound))


def _values(digits, bound):
    digits = jnp.asarray(digits, jnp.float32)
    return np.asarray(finite_scalar.values(digits, LEVELS, bound))


def _everywhere(values):
    return jnp.asarray(values, jnp.float32)[:, None] * jnp.ones((1, len(LEVELS)))


@pytest.mark.parametrize("bound", BOUNDS)
def test_every_digit_is_reached_in_order_between_minus_four_and_four(bound):
    found = _digits(_everywhere(np.linspace(-4.0, 4.0, 801)), bound)
    for channel, level in enumerate(LEVELS):
        assert set(found[:, channel]) == set(range(level))
    assert np.all(np.diff(found, axis=0) >= 0)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(
    bound=st.sampled_from(BOUNDS),
    z=st.floats(-(2.0**120), 2.0**120, width=32, allow_nan=False),
)
def test_digits_stay_in_range_however_large_z_is(bound, z):
    found = _digits(_everywhere([z, 1e30, -1e30, np.inf, -np.inf]), bound)
    assert np.all(found >= 0)
    assert np.all(found < LEVELS64)
    np.testing.assert_array_equal(found[[1, 3]], [LEVELS64 - 1] * 2)
    np.testing.assert_array_equal(found[[2, 4]], np.zeros((2, 5)))


@pytest.mark.parametrize(
    ("bound", "definition"),
    [
        ("tan", _fsq_quantize),
        ("symmetric", _symmetric_quantize),
    ],
)
def test_codes_and_digits_are_the_papers(bound, definition):
    z = 1.5 * jax.random.normal(jax.random.key(0), (400, 5))
    found = _digits(z, bound)
    codes, digits = definition(np.asarray(z), LEVELS64)
    np.testing.assert_allclose(found, digits, atol=1e-6)
    np.testing.assert_allclose(_values(found, bound), codes, atol=1e-6)


@pytest.mark.parametrize(
    ("bound", "definition"),
    [
        ("tan", _fsq_bound),
        ("atanh", _fsq_atanh_bound),
    ],
)
def test_bounded_values_and_their_gradients_are_the_definition(bound, definition):
    z = jax.random.normal(jax.random.key(0), (30, 5))
    g = jax.random.normal(jax.random.key(1), (30, 5))

    def squash(z):
        return finite_scalar.values(
            finite_scalar.bounded(z, LEVELS, bound), LEVELS, bound
        )

    z64, step = np.asarray(z, np.float64), 1e-6
    half = LEVELS64 // 2
    np.testing.assert_allclose(
        squash(z), definition(z64, LEVELS64) / half, rtol=1e-4, atol=1e-5
    )
    found = jax.jit(jax.grad(lambda z: jnp.sum(g * squash(z))))(z)
    difference = definition(z64 + step, LEVELS64) - definition(z64 - step, LEVELS64)
    expected = np.float64(g) * difference / (2 * step * half)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_gradients_of_the_symmetric_grids_are_those_of_tanh_and_of_the_clip():
    z = jnp.asarray([[-1.5, -0.5, 0.0, 0.5, 1.5]])

    def total(z, bound):
        position = finite_scalar.bounded(z, LEVELS, bound)
        return jnp.sum(finite_scalar.values(position, LEVELS, bound))

    found = jax.grad(total)(z, "symmetric")
    np.testing.assert_allclose(found, 1 - np.tanh(np.float64(z)) ** 2, rtol=1e-4)
    np.testing.assert_allclose(jax.grad(total)(z, "clip"), [[0, 1, 1, 1, 0]])


def test_the_atanh_bound_and_the_symmetric_one_map_zero_to_zero():
    zero = jnp.zeros((1, 5))
    for bound in ("atanh", "symmetric", "clip"):
        position = finite_scalar.bounded(zero, LEVELS, bound)
        found = finite_scalar.values(position, LEVELS, bound)
        np.testing.assert_allclose(found, zero, atol=1e-6)
    # As printed, the shift is no inverse of tanh: zero goes below for even levels.
    position = finite_scalar.bounded(zero, LEVELS, "tan")
    found = np.asarray(finite_scalar.values(position, LEVELS, "tan"))[0]
    np.testing.assert_allclose(found[LEVELS64 % 2 == 1], 0.0, atol=1e-6)
    assert found[0] < -0.04  # of two levels


@pytest.mark.parametrize("bound", ["symmetric", "clip"])
def test_the_symmetric_grids_hold_both_ends_and_negate_into_themselves(bound):
    highest = LEVELS64 - 1
    codes = [_values([[d] * 5], bound)[0] for d in range(8)]
    np.testing.assert_allclose(codes[0], -1.0)
    for channel, top in enumerate(highest):
        column = [code[channel] for code in codes[: top + 1]]
        np.testing.assert_allclose(column, -np.asarray(column[::-1]), atol=1e-6)
        np.testing.assert_allclose(np.diff(column), 2 / top, rtol=1e-5)


@pytest.mark.parametrize("bound", ["clip", "symmetric"])
def test_halves_go_up_on_the_symmetric_grids(bound):
    # Zero lies halfway between the two digits in the middle of an even grid.
    found = _digits(jnp.zeros((1, 5)), bound)
    np.testing.assert_array_equal(found[0], LEVELS64 // 2)


@pytest.mark.parametrize("bound", BOUNDS)
def test_the_code_of_a_digit_is_quantised_to_that_digit(bound):
    digits = np.stack([np.minimum(d, LEVELS64 - 1) for d in range(8)])
    position = jnp.asarray(digits, jnp.float32)
    found = finite_scalar.to_digits(position, LEVELS, bound)
    np.testing.assert_array_equal(found, digits)
