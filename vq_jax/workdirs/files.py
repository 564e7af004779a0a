"""The folder of a run, and JSON files in it that are whole or not there."""

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator

from etils import epath
from ml_collections import ConfigDict

from vq_jax.errors import InputError

CHECKPOINTS = "checkpoints"


def make_workdir(workdir: epath.PathLike) -> epath.Path:
    """The folder, made if need be and known to be writable.

    Raises:
        InputError: it has no name, or one that Orbax can't save below, or it is the
            folder of a run's checkpoints, or it can't be written to.
    """
    workdir = named(workdir)
    check_not_inside(workdir)
    name = workdir.resolve().as_posix()
    if set("*?[\\") & set(name) or not _is_utf8(name):
        raise InputError(
            f"--workdir={str(workdir)!r}: Orbax can't read checkpoints below a folder "
            "that has one of * ? [ \\ in its name, or is not named in UTF-8; choose "
            "another."
        )
    return make_folder(workdir, "--workdir")


def make_folder(path: epath.PathLike, flag: str) -> epath.Path:
    """The folder that `flag` names, made if need be and known to be writable.

    Raises:
        InputError: it can't be written to.
    """
    folder = epath.Path(path)
    probe = folder / f".probe-{uuid.uuid4().hex}"  # no file or link of another's
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except (OSError, ImportError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{flag}={folder} cannot be written to ({reason}); choose a folder of your "
            "own."
        ) from error
    return folder


def check_new_folder(folder: epath.PathLike, flag: str) -> epath.Path:
    """The folder that `flag` names, whose parent can be written to.

    Raises:
        InputError: it is there and not empty, or there is no way to write it.
    """
    folder = epath.Path(folder).expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{flag}={folder} is there already; name a new folder, so that results of "
            "two commands never mix."
        )
    make_folder(folder.parent, flag)
    return folder


@contextlib.contextmanager
def whole_folder(folder: epath.Path) -> Iterator[epath.Path]:
    """A folder beside it that takes its place once the body has ended.

    `folder` is as `check_new_folder` returns it.
    """
    draft = folder.with_name(f"{folder.name}.{os.getpid()}.draft")
    with writing(folder):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            yield draft
            if folder.exists():  # and is empty
                folder.rmdir()
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _is_utf8(name: str) -> bool:
    """Whether a name of the file system could be decoded."""
    return name.encode(errors="replace").decode() == name


def named(workdir: epath.PathLike) -> epath.Path:
    """`workdir` as a path, with the home folder for `~`.

    Raises:
        InputError: it is empty, as from a variable that is not set, which would mean
            the current folder.
    """
    if not os.fspath(workdir):
        raise InputError("--workdir= is empty; name a folder ('.' is the current one).")
    return epath.Path(workdir).expanduser()


def check_not_inside(workdir: epath.Path) -> None:
    """Raises InputError where `workdir` is the folder of a run's checkpoints, or one of
    these."""
    for folder in (workdir, *workdir.parents)[:3]:
        if folder.name == CHECKPOINTS and (folder.parent / "config.json").exists():
            raise InputError(
                f"{workdir} is where a run keeps its checkpoints; its workdir is "
                f"{folder.parent}."
            )


def write_config(workdir: epath.PathLike, config: ConfigDict) -> None:
    """Writes `config.json`, for people and for `same_config`."""
    write_json(epath.Path(workdir) / "config.json", config.to_dict())


def same_config(workdir: epath.PathLike, config: ConfigDict) -> bool:
    """Whether the run in `workdir` was started with this very configuration.

    It was not where `config.json` is damaged: the checkpoints know then.
    """
    path = epath.Path(workdir) / "config.json"
    wanted = json.loads(json.dumps(config.to_dict()))
    try:
        return path.exists() and json.loads(path.read_bytes()) == wanted
    except ValueError:
        return False


def write_json(path: epath.PathLike, content: dict) -> epath.Path:
    """Writes `content`, whole or not at all."""
    path = epath.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return replace_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def replace_text(path: epath.Path, text: str) -> epath.Path:
    """Writes a file of text, whole or not at all."""
    return replace_bytes(path, text.encode())


def replace_bytes(path: epath.Path, content: bytes) -> epath.Path:
    """Writes a file, whole or not at all."""
    # Of its own process: two that write the same file may meet.
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    with writing(path):
        try:
            draft.write_bytes(content)
            return draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: epath.PathLike) -> Iterator[None]:
    """Turns what the operating system refuses a body that writes into InputError."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = _reason(error)
        if not reason:
            raise
        raise InputError(
            f"{path} can't be written to ({reason}); mend that and start the same "
            "command again."
        ) from error


def _reason(error: Exception) -> str | None:
    """What the operating system said, if it was that."""
    if isinstance(error, OSError):
        return error.strerror
    number = re.search(r"os_error_code='(\d+)'", str(error))  # as TensorStore quotes it
    return os.strerror(int(number[1])) if number else None
