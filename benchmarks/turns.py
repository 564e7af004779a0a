"""Two frameworks on the same cores: each has a process of its own, and they take turns.

So neither's threads disturb the other, and a change of the machine's load meets both.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import timing

FRAMEWORKS = ("ours", "theirs")


def compare(commands: Mapping[str, Sequence[str]], num_steps: int) -> dict:
    """Times and memory of both frameworks, step by step in turns.

    `ratio` is theirs / ours, the median over pairs of neighbouring steps: above 1, ours
    is faster. `memory_ratio` is ours / theirs. Memory is the largest resident set of
    the process while it steps, compiling and starting left out, less what it had after
    its imports.

    Args:
        commands: of each of FRAMEWORKS, what starts its process, which calls `serve`.
    """
    workers = {name: _Worker(commands[name]) for name in FRAMEWORKS}
    ms = {name: [] for name in workers}
    for _ in range(num_steps):
        for name, worker in workers.items():
            ms[name].append(worker.ask()["ms"])
    row = {}
    for name, worker in workers.items():
        low, median, high = np.percentile(ms[name], [25, 50, 75])
        row[name] = {
            "median_ms": round(float(median), 1),
            "iqr_ms": round(float(high - low), 1),
            **worker.close(),
        }
    pairs = np.divide(ms["theirs"], ms["ours"])
    memory = row["ours"]["peak_mib"] / row["theirs"]["peak_mib"]
    row["ratio"] = round(float(np.median(pairs)), 3)
    row["memory_ratio"] = round(memory, 3)
    return row


def serve(make: Callable[[], tuple[Callable[[], None], float]]) -> None:
    """A worker's life: make the step, warm up, then one step for each line of input.

    Args:
        make: gives the step, and `resident()` after the imports.
    """
    started = time.perf_counter()
    take, base = make()
    for _ in range(timing.WARM_UP_CALLS):
        take()
    _forget_peak()
    _say({"start_s": round(time.perf_counter() - started, 1)})
    for _ in sys.stdin:
        started = time.perf_counter()
        take()
        _say({"ms": 1e3 * (time.perf_counter() - started)})
    _say({"peak_mib": round(resident("VmHWM") - base)})


def resident(which: str = "VmRSS") -> float:
    """MiB of this process: "VmRSS" now, "VmHWM" at most."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines[which].split()[0]) / 1024


class _Worker:
    """A process that takes a step whenever it is asked to."""

    def __init__(self, command: Sequence[str]):
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._started = json.loads(self._process.stdout.readline())

    def ask(self) -> dict:
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> dict:
        """Ends it; the seconds until its first steps were done, and its peak memory."""
        out, _ = self._process.communicate("", timeout=60)
        return {**self._started, **json.loads(out)}


def _say(answer: dict) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def _forget_peak() -> None:
    """The kernel's peak of this process begins anew, from what is resident now."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
