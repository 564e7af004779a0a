"""The search for the largest batch, on functions instead of compilers."""

import hypothesis
import pytest
from hypothesis import strategies

from vq_jax.planning.search import Bounds, Largest, Need, largest_batch

BOUNDS = Bounds(unit=4, most=4_000, limit=1_000.0)


def _straight(slope, fixed=100.0):
    """Memory as a step without surprises needs it, and the batches asked for."""
    asked = []

    def need(batch):
        asked.append(batch)
        num_bytes = fixed + slope * batch
        return Need(num_bytes, num_bytes <= BOUNDS.limit)

    return need, asked


def _known(need, batch):
    return {0: Need(100.0, fits=True), batch: need(batch)}


@hypothesis.given(slope=strategies.floats(0.3, 200.0), start=strategies.integers(1, 40))
def test_a_straight_line_takes_three_compilations(slope, start):
    need, asked = _straight(slope)
    known = _known(need, 4 * start)
    largest, too_large = largest_batch(need, known, BOUNDS, compiles=3)
    assert len(set(asked)) == len(asked)
    assert largest == max(batch for batch in range(0, 4_001, 4) if need(batch).fits)
    assert too_large == largest + 4


def test_batches_have_an_end():
    need, _ = _straight(slope=1e-6)
    assert largest_batch(need, _known(need, 8), BOUNDS, 3) == Largest(4_000, None)


@pytest.mark.parametrize("compiles", [0, 1, 2])
def test_no_more_compilations_than_allowed(compiles):
    need, asked = _straight(slope=7.0)
    known = _known(need, 8)
    asked.clear()
    found = largest_batch(need, known, BOUNDS, compiles)
    assert len(asked) == compiles
    assert found.batch <= 128
    assert found.batch in [8, *asked]


def test_an_amount_that_is_not_told_is_found_by_halving():
    def need(batch):
        return Need(float("inf"), fits=False) if batch > 52 else Need(1.0, fits=True)

    known = {800: Need(float("inf"), fits=False)}
    assert largest_batch(need, known, BOUNDS, 20) == Largest(52, 56)


def test_memory_that_bends_is_still_bracketed():
    """Compilers save memory near the limit, so that lines mislead."""

    def need(batch):
        num_bytes = min(100.0 + 10 * batch, 900.0 + batch / 4)
        return Need(num_bytes, num_bytes <= BOUNDS.limit)

    found = largest_batch(need, {0: need(0), 8: need(8)}, BOUNDS, 8)
    assert found == Largest(400, 404)


def test_where_not_even_one_unit_fits_nothing_is_claimed():
    need, _ = _straight(slope=1_000.0)
    assert largest_batch(need, {40: need(40)}, BOUNDS, 9) == Largest(0, 4)
