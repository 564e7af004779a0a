import os
import pathlib
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import multiprocessing, time
from vq_jax.data import workers

def work():
    workers.begin(0, 1)
    while True:
        print("at work", flush=True)
        time.sleep(0.02)

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=work)
    worker.start()
    print(worker.pid, flush=True)
    worker.join()
"""


@pytest.fixture
def run(tmp_path):
    """A program with a worker that is at work, and the worker's process id."""
    (tmp_path / "program.py").write_text(PROGRAM)
    root = pathlib.Path(__file__).parents[2]
    program = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    worker = int(program.stdout.readline())
    assert program.stdout.readline() == "at work\n"
    yield program, worker
    program.kill()
    program.communicate(timeout=60)


def test_a_killed_run_leaves_no_worker(run):
    program, _ = run
    program.kill()
    program.communicate(timeout=60)  # the output ends when the worker has


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_processes_is_left_to_the_run(run, number):
    program, worker = run
    os.kill(worker, number)
    for _ in range(5):
        assert program.stdout.readline() == "at work\n"
