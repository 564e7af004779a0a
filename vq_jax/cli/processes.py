"""Several processes of one run: how they join, and how all end where one fails."""

import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import NoReturn

import jax

from vq_jax.cli import exits
from vq_jax.errors import InputError

FAILURE, FAREWELL = "vq_jax/failure", "vq_jax/farewell"
FAREWELL_MS = 60_000
LEAVING_SECONDS = 5  # from the end of the farewell to the end of a busy process
POLL_SECONDS = 0.5


def join() -> None:
    """Joins the processes of a TPU pod or a cluster, as JAX finds them.

    Raises:
        InputError: there are none to be found, or they cannot be reached.
    """
    if not jax.config.jax_enable_preemption_service:
        raise InputError(
            "JAX_ENABLE_PREEMPTION_SERVICE=False does not go with --distributed: that "
            "service is how processes agree on the step to stop after. Unset it."
        )
    try:
        jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"--distributed: there is no job that JAX could join ({reason}). It knows "
            "Slurm, Open MPI, Kubernetes and Cloud TPU by their environments; start "
            "the program with their launchers, or leave the flag out for one process."
        ) from error


@contextlib.contextmanager
def ending_together() -> Iterator[None]:
    """Ends all processes that have joined with the exit code of the first to fail.

    The others would wait for it in their next step, and it for them as it exits, until
    JAX gives up after minutes and aborts without message and code.
    """
    from jax._src.distributed import global_state  # the one way to its client

    client, rank = global_state.client, global_state.process_id
    finished, told = threading.Event(), threading.Event()
    watch = threading.Thread(
        target=_watch, args=(client, rank, finished, told), daemon=True
    )
    watch.start()
    try:
        yield
        jax.distributed.shutdown()  # waits for the others, one of which may yet fail
    except BaseException as error:
        # `exits.fail` has printed what a SystemExit stands for, and was called for it.
        code = error.code if isinstance(error, SystemExit) else 1
        if not isinstance(error, SystemExit):
            traceback.print_exc()
        told.set()
        cause = error.__context__ or error
        message = str(cause) or type(cause).__name__
        failure = {"process": rank, "code": code, "message": message}
        with contextlib.suppress(Exception):  # another was first, or all are gone
            client.key_value_set(FAILURE, json.dumps(failure))
        watch.join()  # which ends this process, too
        _exit(code)
    finally:
        finished.set()
        watch.join()


def _watch(client, rank: int, finished: threading.Event, told: threading.Event) -> None:
    """Ends this process when one has failed, with its code; says why if none has."""
    while not finished.wait(POLL_SECONDS):
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # none has failed
            failure = json.loads(client.key_value_try_get(FAILURE))
            break
    else:
        return
    if not told.is_set():
        exits.console(stderr=True).print(
            f"error: process {failure['process']} failed: {failure['message']}",
            soft_wrap=True,
        )
    # The first process serves the others: it may not leave before they know, nor, as
    # JAX aborts a process that has lost its service, before they have left.
    with contextlib.suppress(jax.errors.JaxRuntimeError):
        client.wait_at_barrier(FAREWELL, FAREWELL_MS)
    if not rank:
        time.sleep(LEAVING_SECONDS)
    _exit(failure["code"])


def _exit(code: int) -> NoReturn:
    """Leaves without JAX's wait for the others."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)
