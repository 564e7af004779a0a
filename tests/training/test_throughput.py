import time

import pytest

from vq_jax.training.throughput import Throughput


class _Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return _Clock(monkeypatch)


def _batches(clock, seconds):
    for number, each in enumerate(seconds):
        clock.wait(each)
        yield number


def test_the_stall_is_the_share_of_the_time_that_batches_were_waited_for(clock):
    throughput = Throughput(8, 0)
    batches = throughput.timed(_batches(clock, [1.0, 0.0, 0.5]))
    for _ in batches:
        clock.wait(0.5)
    assert throughput.pace(3) == pytest.approx((3 * 8 / 3.0, 1.5 / 3.0))


def test_each_pace_is_that_since_the_one_before(clock):
    throughput = Throughput(8, 2)
    batches = throughput.timed(_batches(clock, [1.0, 0.0]))
    next(batches)
    assert throughput.pace(3) == pytest.approx((8, 1.0))
    next(batches)
    clock.wait(2.0)
    assert throughput.pace(4) == pytest.approx((4, 0.0))


def test_neither_number_has_the_time_of_what_is_paused(clock):
    throughput = Throughput(8, 0)
    next(throughput.timed(_batches(clock, [1.0])))
    clock.wait(1.0)
    throughput.paused(clock.wait)(10.0)
    assert throughput.pace(1) == pytest.approx((4, 0.5))


def test_the_time_of_an_input_that_fails_counts(clock):
    def failing():
        clock.wait(3.0)
        raise OSError
        yield

    throughput = Throughput(8, 0)
    with pytest.raises(OSError):
        next(throughput.timed(failing()))
    assert throughput.pace(0).input_stall == 1.0


class _Result:
    """What a device is to give, and whether it has."""

    def __init__(self, ready):
        self.is_ready = lambda: ready


def test_a_wait_while_the_device_computes_is_no_stall(clock):
    throughput = Throughput(8, 0)
    step = throughput.watched(lambda ready: ("state", {"loss": _Result(ready)}))
    batches = throughput.timed(_batches(clock, [1.0, 2.0, 5.0]))
    next(batches)  # before any step: nothing is computed
    assert step(False)[0] == "state"
    next(batches)  # the device was not done when it came
    step(True)
    next(batches)  # it was
    assert throughput.pace(3).input_stall == pytest.approx((1.0 + 5.0) / 8.0)
