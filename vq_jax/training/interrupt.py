"""Ctrl-C, SIGTERM and a closed terminal as a request to stop after the current step."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

import jax
from jax.experimental import multihost_utils


class StopRequest:
    """Remembers which signal asked this process to stop; 0 while none did."""

    def __init__(self):
        self.signal = 0

    def __call__(self, step: int) -> bool:
        """Whether to stop after `step`; to be asked after every one.

        Several processes are all given the same answer: the one after a step that none
        has finished yet when JAX has told them of a SIGTERM to one of them.
        """
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return bool(self.signal)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turns the first SIGINT, SIGTERM or SIGHUP into a request; a second acts as usual.

    But a closed terminal sends several SIGHUPs, and under nohup they stay ignored. A
    thread that is not the main one cannot take signals; they remain the main one's
    affair. Among several processes SIGTERM is left to JAX, and the others are passed on
    as one.
    """
    request = StopRequest()
    previous = {}

    def handle(signum, frame):
        request.signal = signum
        if signum == signal.SIGHUP:
            del previous[signum]
            signal.signal(signum, signal.SIG_IGN)
        _restore(previous)
        if jax.process_count() > 1:
            os.kill(os.getpid(), signal.SIGTERM)

    for number in _signals():
        previous[number] = signal.signal(number, handle)
    try:
        yield request
    finally:
        _restore(previous)


def _signals() -> list[int]:
    """Those that are requests to this thread."""
    if threading.current_thread() is not threading.main_thread():
        return []
    signals = [signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    if jax.process_count() == 1:
        signals.append(signal.SIGTERM)
    return signals


def _restore(handlers: dict) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
