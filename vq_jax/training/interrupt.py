"""Ctrl-C and SIGTERM as a request to stop after the current step."""

import contextlib
import signal
from collections.abc import Iterator


class StopRequest:
    """Remembers which signal asked to stop; 0 while none did."""

    def __init__(self):
        self.signal = 0

    def __call__(self) -> bool:
        return bool(self.signal)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turns the first SIGINT or SIGTERM into a request; a second one acts as usual."""
    request = StopRequest()
    previous = {}

    def handle(signum, frame):
        request.signal = signum
        for number, handler in previous.items():
            signal.signal(number, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, handle)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
