"""A worker as its parent sees it: it answers in time, or is ended and started anew."""

import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time

FOLDER = pathlib.Path(__file__).parents[1]
NO_TIME = {"error": "no time left"}
GRACE_S = 10.0
"""A measurement that has begun in time may end so much later."""


class Process:
    """Starts a worker when one is needed; a context that ends it."""

    def __init__(self, framework: str, *, tiny: bool, cache: str):
        self._command = [sys.executable, "-m", "gpu.worker", framework]
        self._environment = {
            **os.environ,
            # What has been compiled once is there for the next process.
            "JAX_COMPILATION_CACHE_DIR": cache,
            "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.92",
        }
        if tiny:
            self._command.append("--tiny")
            self._environment["JAX_PLATFORMS"] = "cpu"
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def ask(self, request: dict, end: float) -> dict:
        """The answer to a request; {"error"} where there is none in time.

        Args:
            end: of the time for it, by `time.monotonic`.
        """
        if time.monotonic() > end:
            return NO_TIME
        if self._process is None:
            self._start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return self._answer(end + GRACE_S)
        except (BrokenPipeError, EOFError):
            code = self._process.wait()
            self._end()
            return {"error": f"its process ended with code {code}"}
        except queue.Empty:
            self._end()
            return {"error": "stopped: it took longer than there was time"}

    def _answer(self, end: float) -> dict:
        """The next line that is one; libraries may print others."""
        while True:
            line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            if line is None:
                raise EOFError
            if line.startswith("{"):
                return json.loads(line)

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            cwd=FOLDER,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # to end the processes that it starts, too
        )
        self._lines = queue.SimpleQueue()
        arguments = (self._process.stdout, self._lines)
        threading.Thread(target=_read, args=arguments, daemon=True).start()

    def _end(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process.stdin.close()
            self._process = None


def _read(stream, lines: queue.SimpleQueue) -> None:
    """All lines, and None at the end."""
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)
