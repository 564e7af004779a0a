"""How the command line programs end: one clear line and an exit code.

0 is success, 2 bad input, 3 training that diverged, 128 + n signal n after saving.
"""

import contextlib
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import NoReturn

from rich.console import Console

from vq_jax.errors import InputError

BAD_INPUT, DIVERGED, SIGNALLED = 2, 3, 128

# What an operating system may say of the user's disks and folders, by way on.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
UNFIT = (
    *(errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
    *(errno.EIO, errno.ESTALE),
)


def console(*, stderr: bool = False) -> Console:
    """Where programs print names of files: with brackets, which are no markup, and
    with bytes that are no text. None ends because nobody can read it any more."""
    name = "stderr" if stderr else "stdout"
    if getattr(sys, name) is None:  # closed by what started the program
        return Console(file=io.StringIO(), quiet=True)
    return Console(file=_Stream(name), highlight=False, markup=False)


class _Stream:
    """`sys.stdout` or `sys.stderr`; once it cannot be written to, nothing is.

    So a run outlives `| head`, a terminal that was closed, and a log on a full disk.
    """

    def __init__(self, name: str):
        stream = getattr(sys, name)
        # While a bar of rich runs, it stands before the stream.
        self._name, self._stream = name, getattr(stream, "rich_proxied_file", stream)
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        self._attempt(self._stream.write, text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, method, *args) -> None:
        try:
            method(*args)
        except OSError as error:
            # Python flushes as it exits, too, and would make a failure exit code 120.
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
            if self._name == "stdout":
                console(stderr=True).print(
                    f"standard output cannot be written to ({error.strerror}); "
                    "going on without it.",
                    soft_wrap=True,
                )


def leave(signal_number: int) -> NoReturn:
    """Exits after training: 0 means that no signal stopped it."""
    sys.exit(SIGNALLED + signal_number if signal_number else 0)


def fail(message: str, code: int = BAD_INPUT) -> NoReturn:
    """Prints `error: message` to standard error and exits."""
    console(stderr=True).print(f"error: {message}", soft_wrap=True)
    sys.exit(code)


@contextlib.contextmanager
def clear_errors(flags: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turns what the user can mend into one message; defects keep their traceback.

    Args:
        flags: pattern of a field of a configuration -> the flag that stands for it,
            which messages then name in its place.
    """
    try:
        yield
    except InputError as error:
        message = str(error)
        for field, flag in (flags or {}).items():
            message = re.sub(field, flag, message)
        fail(message)
    except FloatingPointError as error:
        fail(str(error), DIVERGED)
    except OSError as error:
        if error.errno not in (*FULL, *DENIED, *UNFIT):
            raise
        place = f"{error.filename}: " if error.filename else ""
        way_on = "make room there, or " if error.errno in FULL else ""
        way_on = "check its permissions, or " if error.errno in DENIED else way_on
        fail(f"{place}{error.strerror}; {way_on}name another place.")
    except KeyboardInterrupt:
        # Outside the steps, where nothing is to be saved; see training/interrupt.py.
        fail("interrupted", SIGNALLED + signal.SIGINT)
