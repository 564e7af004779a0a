"""Two runs do not write into one workdir."""

import os
import platform
import signal
import subprocess
import sys

import jax
import pytest

from vq_jax.errors import InputError
from vq_jax.workdirs import lock

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "a+")
fcntl.flock(file, fcntl.LOCK_EX)
file.write("process 7 on a machine")
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_run_is_told_who_is_there(tmp_path):
    with lock.locked(tmp_path):
        holder = f"process {os.getpid()} on {platform.node()}"
        with (
            pytest.raises(InputError, match=f"{tmp_path} is in use by {holder}"),
            lock.locked(tmp_path),
        ):
            pass
    with lock.locked(tmp_path):
        pass


def test_a_lock_ends_with_the_process_that_was_killed(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / ".lock")]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with (
        pytest.raises(InputError, match="in use by"),
        lock.locked(tmp_path),
    ):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    with lock.locked(tmp_path):
        pass


def test_of_several_processes_of_one_run_the_first_locks(tmp_path, monkeypatch):
    with lock.locked(tmp_path):
        monkeypatch.setattr(jax, "process_index", lambda: 1)
        with lock.locked(tmp_path):
            pass


def test_without_locks_in_the_file_system_a_run_goes_on(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError("Function not implemented")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with lock.locked(tmp_path):
        pass
    with lock.locked("gs://bucket/run"):
        pass


def test_an_error_of_the_run_is_its_own(tmp_path):
    with pytest.raises(OSError, match="of the run"), lock.locked(tmp_path):
        raise OSError("of the run")
