"""Processes that read data for a run, and live no shorter and no longer than it."""

import multiprocessing
import os
import signal
import threading


def begin(index: int, count: int) -> None:
    """What worker `index` of `count` does first.

    A terminal and a scheduler send their signals to all processes of a job. What they
    ask for is the run's to do: it may need batches until it has saved, and then ends
    its workers itself. If it is killed, they end, and their shared memory goes.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
