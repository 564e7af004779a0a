import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import annealing, digits, finite_scalar, resample

LEVELS = (4, 3, 5)


@pytest.mark.parametrize("order", ["little", "big"])
def test_every_index_has_its_own_digits_and_back(order):
    indices = jnp.arange(60)
    found = digits.from_index(indices, LEVELS, order)
    assert len(np.unique(np.asarray(found), axis=0)) == 60
    assert np.all(np.asarray(found).max(axis=0) == np.asarray(LEVELS) - 1)
    np.testing.assert_array_equal(digits.to_index(found, LEVELS, order), indices)


def test_the_orders_name_the_weight_of_the_first_digit():
    bits = jnp.asarray([1, 0, 0, 0])
    assert digits.to_index(bits, (2,) * 4, "little") == 1
    assert digits.to_index(bits, (2,) * 4, "big") == 8


@pytest.mark.parametrize("bound", ["tan", "atanh", "symmetric", "clip"])
def test_every_digit_is_reached_and_none_beyond(bound):
    levels = (2, 3, 4, 5, 8)
    z = jnp.linspace(-40.0, 40.0, 40_001)[:, None] * jnp.ones((1, 5))
    position = finite_scalar.bounded(z, levels, bound)
    found = np.asarray(finite_scalar.to_digits(position, levels, bound))
    for channel, level in enumerate(levels):
        assert set(found[:, channel]) == set(range(level))
    assert np.all(np.diff(found, axis=0) >= 0)
    values = np.asarray(
        finite_scalar.values(jnp.asarray(found, jnp.float32), levels, bound)
    )
    assert np.abs(values).max() == 1.0


def test_the_atanh_bound_and_the_symmetric_one_map_zero_to_zero():
    zero = jnp.zeros((1, 4))
    for bound, levels in (("atanh", (3, 4, 5, 8)), ("symmetric", (2, 3, 4, 8))):
        position = finite_scalar.bounded(zero, levels, bound)
        found = finite_scalar.values(position, levels, bound)
        np.testing.assert_allclose(found, zero, atol=1e-6)


def test_resampling_keeps_constants_and_bicubic_keeps_ramps_inside():
    for matrix in (resample.area_matrix(3, 7), resample.bicubic_matrix(9, 4)):
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, rtol=1e-6)
    for matrix in (resample.area_matrix(5, 5), resample.bicubic_matrix(5, 5)):
        np.testing.assert_allclose(matrix, np.eye(5), atol=1e-6)
    ramp = resample.bicubic_matrix(32, 16) @ np.arange(16.0)
    np.testing.assert_allclose(np.diff(ramp)[6:-6], 0.5, rtol=1e-4)


@pytest.mark.parametrize(
    ("shape", "middle"),
    [("linear", 0.55), ("cosine", 0.55), ("exponential", 0.1**0.5), ("constant", 1.0)],
)
def test_schedules_begin_pass_and_end_where_they_say(shape, middle):
    found = [
        float(annealing.anneal(jnp.asarray(step), 1.0, 0.1, 10, shape))
        for step in (0, 5, 10, 99)
    ]
    end = 1.0 if shape == "constant" else 0.1
    np.testing.assert_allclose(found, [1.0, middle, end, end], rtol=1e-5)
