"""How the command line programs end: one clear line and an exit code.

0 is success, 2 bad input, 3 training that diverged, 128 + n signal n after saving.
"""

import contextlib
import errno
import io
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
DENIED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR),
    *(errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE),
)


def console() -> Console:
    """Where programs print names of files: with brackets, which are no markup, and
    with bytes that are no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Console(highlight=False, markup=False)


def leave(signal_number: int) -> NoReturn:
    """Exits after training: 0 means that no signal stopped it."""
    sys.exit(SIGNALLED + signal_number if signal_number else 0)


def fail(message: str, code: int = BAD_INPUT) -> NoReturn:
    """Prints `error: message` to standard error and exits."""
    Console(stderr=True).print(
        f"error: {message}", markup=False, highlight=False, soft_wrap=True
    )
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
        if error.errno not in (*FULL, *DENIED):
            raise
        place = f"{error.filename}: " if error.filename else ""
        way_on = "make room there" if error.errno in FULL else "check its permissions"
        fail(f"{place}{error.strerror}; {way_on}, or name another place.")
    except KeyboardInterrupt:
        # Outside the steps, where nothing is to be saved; see training/interrupt.py.
        fail("interrupted", SIGNALLED + signal.SIGINT)
