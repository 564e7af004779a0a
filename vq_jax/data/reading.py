"""Reads files that others named: what they are is asked before a byte is read."""

import os
import stat

from etils import epath

from vq_jax.errors import InputError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def is_remote(path: epath.PathLike) -> bool:
    """Whether the path is a URL, as those of buckets are."""
    return "://" in os.fspath(path)


def printable(path: epath.PathLike) -> str:
    r"""The path for messages: bytes that are no UTF-8 become `\xe9`."""
    return os.fsencode(path).decode(errors="backslashreplace")


def open_folder(path: str) -> epath.Path:
    """The path of `config.data.source`, with `~` expanded; it need not be there.

    Raises:
        InputError: the path is a URL that no installed package can open.
    """
    try:
        folder = epath.Path(path).expanduser()
        folder.exists()
    # Each kind of bucket has exceptions of its own, for credentials above all.
    except Exception as error:
        if not is_remote(path):
            raise
        reason = str(error) if isinstance(error, ImportError) else "no such storage"
        raise InputError(
            f"config.data.source: {path} can't be opened ({reason}); download its files"
            " and give their folder, or a bucket as gs://NAME."
        ) from error
    return folder


def read_file(path: epath.Path, max_bytes: int | None = None) -> bytes:
    """The bytes of a regular file.

    Raises:
        InputError: it is missing, something else than a file, too large or unreadable.
    """
    name = printable(path)
    try:
        _check_file(path, name, max_bytes)
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"file {name} does not exist; check the path.") from None
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or repr(error)
        raise InputError(
            f"file {name} can't be read ({reason}); check its permissions and its disk."
        ) from error


def _check_file(path: epath.Path, name: str, max_bytes: int | None) -> None:
    if is_remote(path):
        if not path.is_file():
            raise FileNotFoundError
        return
    # Opening a pipe waits for ever, and a device may have no end.
    found = os.stat(path)
    kind = KINDS.get(stat.S_IFMT(found.st_mode))
    if kind:
        raise InputError(f"{name} is {kind}; give a file.")
    if max_bytes and found.st_size > max_bytes:
        raise InputError(
            f"file {name} has {found.st_size} bytes, more than {max_bytes}; no image of"
            " a size that is read needs so many."
        )
