"""How the command line programs end: one clear line and an exit code.

0 is success, 2 bad input, 3 training that diverged, 128 + n signal n after saving.
"""

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from rich.console import Console

from vq_jax.errors import InputError

BAD_INPUT, DIVERGED, SIGNALLED = 2, 3, 128


def console() -> Console:
    """Where programs print."""
    return Console(highlight=False)


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
def clear_errors() -> Iterator[None]:
    """Turns what the user can mend into one message; defects keep their traceback."""
    try:
        yield
    except InputError as error:
        fail(str(error))
    except FloatingPointError as error:
        fail(str(error), DIVERGED)
    except KeyboardInterrupt:
        # Outside the steps, where nothing is to be saved; see training/interrupt.py.
        fail("interrupted", SIGNALLED + signal.SIGINT)
