"""Checkpoints that can't be read, or have no room: what is wrong, and the way on."""

import contextlib
import shlex
import shutil
from collections.abc import Iterator, Sequence

import orbax.checkpoint as ocp
from etils import epath

from vq_jax.errors import InputError
from vq_jax.workdirs import digests


@contextlib.contextmanager
def reading(checkpoints: epath.Path, step: int, items: Sequence[str]) -> Iterator[None]:
    """Checks the digests of a checkpoint's items; the body may read them then.

    Raises:
        InputError: a file is missing or not as it was written, or the body can't read
            what it finds. The message names the newest older checkpoint that is whole.
    """
    _check(checkpoints, step, items)
    try:
        yield
    except InputError:
        raise
    except (KeyError, OSError, ValueError) as error:  # as Orbax and TensorStore raise
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]:.200}"
        what = f"can't be read ({reason})"
        raise _error(checkpoints, step, items, what) from error


def _check(checkpoints: epath.Path, step: int, items: Sequence[str]) -> None:
    """Every process does it, and all of them come to the same end."""
    wrong = _wrong(checkpoints / str(step), items)
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        shown = ", ".join(wrong[:3]) + more
        what = f"is damaged: missing, or not as it was written: {shown}"
        raise _error(checkpoints, step, items, what)


def _wrong(folder: epath.Path, items: Sequence[str]) -> list[str]:
    """Items that are missing and files that are damaged, by their paths in `folder`."""
    wrong = [item for item in items if not (folder / item).exists()]
    return wrong + [
        f"{item}/{file}" for item in items for file in digests.damaged(folder / item)
    ]


def _error(
    checkpoints: epath.Path, step: int, items: Sequence[str], what: str
) -> InputError:
    folder = checkpoints / str(step)
    if not folder.exists():
        return InputError(
            f"{folder} was removed while it was read: a run that saves there keeps its "
            "latest checkpoints. Start the command again."
        )
    older = [n for n in ocp.utils.checkpoint_steps(checkpoints) if n < step]
    for other in sorted(older, reverse=True):
        found = {item.name for item in (checkpoints / str(other)).iterdir()}
        if not _wrong(checkpoints / str(other), sorted(found.union(items))):
            aside = checkpoints.parent / f"damaged_{step}"
            command = shlex.join(["mv", str(folder), str(aside)])
            return InputError(
                f"the checkpoint {folder} {what}. That of step {other} is whole; to go "
                f"on from it, move this one away: {command}"
            )
    return InputError(
        f"the checkpoint {folder} {what}. No older one there is whole: bring the files "
        "back from a copy, or train anew in another --workdir."
    )


def check_room(checkpoints: epath.Path, needed: int) -> None:
    """Raises InputError where the disk has fewer bytes free.

    Known beforehand, it is one line; Orbax would log a traceback for every array.
    """
    try:
        free = shutil.disk_usage(checkpoints).free
    except OSError:  # no disk of this machine
        return
    if free < needed:
        raise InputError(
            f"{checkpoints} is on a disk with {free / 2**20:.1f} MiB left, and another "
            f"checkpoint takes up to {needed / 2**20:.1f}. Make room, and the same "
            "command goes on from the latest checkpoint."
        )
