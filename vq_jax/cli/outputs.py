"""Where a program writes: known to be writable before any work is done."""

import re
import uuid

from etils import epath

from vq_jax.errors import InputError


def make_folder(path: epath.PathLike, flag: str) -> epath.Path:
    """The folder, made if need be and known to be writable; `flag` names another.

    Raises:
        InputError: it cannot be written to.
    """
    folder = epath.Path(path)
    probe = folder / f".probe-{uuid.uuid4().hex}"  # no file or link of another's
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written to ({error.strerror}); name a folder of your "
            f"own in {flag}."
        ) from error
    return folder


def file_name(text: str) -> str:
    """`text` as the name of a file: nothing in it leads to another folder."""
    return re.sub(r"[/\\]", "-", text).lstrip(".") or "-"
