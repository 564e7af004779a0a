"""One run at a time in a workdir."""

import contextlib
import fcntl
import os
import platform
from collections.abc import Iterator

import jax
from etils import epath

from vq_jax.errors import InputError

LOCK = ".lock"


@contextlib.contextmanager
def locked(workdir: epath.PathLike, flag: str = "--workdir") -> Iterator[None]:
    """Keeps other runs out of `workdir`, which `flag` named, while the body runs.

    The lock is the operating system's and ends with the process, however that ends.
    Of the processes of one run the first has it. Where the file system has no locks,
    the body runs without.

    Raises:
        InputError: another process has the lock; the message names it.
    """
    with contextlib.ExitStack() as stack:
        if jax.process_index() == 0:
            # What cannot be opened like a local file cannot be locked either.
            with contextlib.suppress(OSError):
                lock = epath.Path(workdir) / LOCK
                _take(stack.enter_context(open(lock, "a+")), flag)
        yield


def _take(file, flag: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        raise InputError(
            f"{flag}={os.path.dirname(file.name)} is in use by {holder}; wait for "
            f"its end, stop it, or choose another {flag}."
        ) from None
    file.truncate(0)
    # Past the buffer, which a full disk would keep from being closed.
    os.write(file.fileno(), f"process {os.getpid()} on {platform.node()}\n".encode())
