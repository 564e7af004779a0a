"""Signals as requests; tests/e2e/test_processes.py has those to real processes."""

import os
import signal
import threading

import jax
import pytest
from jax.experimental import multihost_utils

from vq_jax.training.interrupt import stop_on_signals

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def received():
    """Signals that act as usual, in the order of their coming."""
    numbers = []
    before = {n: signal.signal(n, lambda n, _: numbers.append(n)) for n in SIGNALS}
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def _send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request_and_the_second_acts_as_usual(number, received):
    with stop_on_signals() as request:
        assert not request(1)
        _send(number)
        assert request(2)
        assert request.signal == number
        assert received == []
        _send(number)
    _send(number)
    assert received == [number, number]


def test_a_closed_terminal_may_tell_several_times(received):
    with stop_on_signals() as request:
        _send(signal.SIGHUP)
        _send(signal.SIGHUP)
        assert request(1)
        assert request.signal == signal.SIGHUP
    _send(signal.SIGHUP)  # while the run is saved
    assert received == []


def test_nohup_keeps_its_promise():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_on_signals() as request:
        _send(signal.SIGHUP)
        assert not request(1)


def test_a_thread_leaves_signals_to_the_program(received):
    answers = []

    def train():
        with stop_on_signals() as request:
            answers.append(request(1))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert answers == [False]


def test_several_processes_stop_when_jax_says_so(received, monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(
        multihost_utils, "reached_preemption_sync_point", lambda step: step == 7
    )
    with stop_on_signals() as request:
        _send(signal.SIGINT)
        assert received == [signal.SIGTERM], "JAX hears of it"
        assert request.signal == signal.SIGINT
        assert [request(step) for step in (5, 6, 7)] == [False, False, True]
