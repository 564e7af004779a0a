import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import annealing

QUARTERS = np.asarray([0.0, 0.25, 0.5, 0.75, 1.0])
CURVES = {
    "linear": 1 - 0.9 * QUARTERS,
    "cosine": 0.1 + 0.9 * (1 + np.cos(np.pi * QUARTERS)) / 2,
    "exponential": 0.1**QUARTERS,
    "constant": np.ones(5),
}


@pytest.mark.parametrize("shape", CURVES)
def test_schedules_follow_their_curve_and_stay_at_its_end(shape):
    steps = jnp.asarray([0, 5, 10, 15, 20, 21, 10**6])
    anneal = lambda step: annealing.anneal(step, 1.0, 0.1, 20, shape)  # noqa: E731
    found = [jax.jit(anneal)(step) for step in steps]
    assert {x.dtype for x in found} == {jnp.dtype("float32")}
    end = CURVES[shape][-1]
    np.testing.assert_allclose(found, [*CURVES[shape], end, end], rtol=1e-5)


@pytest.mark.parametrize("shape", CURVES)
def test_schedules_rise_as_they_fall(shape):
    steps = [jnp.asarray(step) for step in (0, 3, 10, 20)]
    rising = [float(annealing.anneal(s, 0.1, 0.8, 20, shape)) for s in steps]
    if shape == "constant":
        np.testing.assert_allclose(rising, 0.1, rtol=1e-6)
    else:
        assert np.all(np.diff(rising) > 0)
        np.testing.assert_allclose(rising[::3], [0.1, 0.8], rtol=1e-5)


@pytest.mark.parametrize(("shape", "value"), [("linear", 0.1), ("constant", 1.0)])
def test_without_steps_a_schedule_is_at_its_end(shape, value):
    found = annealing.anneal(jnp.asarray(0), 1.0, 0.1, 0, shape)
    np.testing.assert_allclose(found, value, rtol=1e-6)


@pytest.mark.parametrize("shape", ["linear", "cosine", "exponential"])
@pytest.mark.parametrize(
    ("initial", "final"), [(64.0, 1e-6), (0.9, 1e-6), (1e-6, 64.0)]
)
def test_the_ends_are_exact_and_the_last_steps_lie_between_them(shape, initial, final):
    num_steps = 1_000_001  # as of VQGAN's Gumbel codes
    last = jnp.arange(num_steps - 300, num_steps + 2)
    steps = jnp.concatenate([jnp.asarray([0]), last])

    def at(step):
        return annealing.anneal(step, initial, final, num_steps, shape)

    found = jax.jit(jax.vmap(at))(steps)
    assert found[0] == np.float32(initial)
    np.testing.assert_array_equal(found[-2:], np.full(2, np.float32(final)))
    towards = np.diff(found) * np.sign(final - initial)
    assert (towards >= 0).all()
    assert found.min() > 0
