"""SHA-256 of every file of a checkpoint, written with it and checked on reading.

Each item of a checkpoint is a folder and has a file SHA256SUMS, in the format of
`sha256sum`, which checks it, too. Older checkpoints have none.
"""

import hashlib

import grain
import orbax.checkpoint as ocp
from etils import epath

FILE = "SHA256SUMS"
CHUNK = 1 << 20


def write(folder: epath.Path) -> None:
    """Writes the digests of all files that `folder` has, in its subfolders too."""
    files = sorted(
        str((root / name).relative_to(folder))
        for root, _, names in folder.walk()
        for name in names
    )
    lines = [f"{_digest(folder / file)}  {file}\n" for file in files]
    (folder / FILE).write_text("".join(lines))


def damaged(folder: epath.Path) -> list[str]:
    """Files of `folder` that are missing or not as they were written.

    None of a folder without digests.
    """
    sums = folder / FILE
    if not sums.exists():
        return []
    lines = sums.read_bytes().decode(errors="replace").splitlines()
    expected = [line.partition("  ") for line in lines]
    changed = [file for digest, _, file in expected if _digest(folder / file) != digest]
    return changed if expected else [FILE]


def _digest(file: epath.Path) -> str | None:
    if not file.exists() or file.is_dir():
        return None
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


class _WithDigests:
    """A handler of Orbax that writes digests last, before its folder is renamed.

    The folder has the files of all processes then; the first of them is called.
    """

    def finalize(self, directory: epath.Path) -> None:
        super().finalize(directory)
        write(directory)

    @classmethod
    def typestr(cls) -> str:
        # What Orbax writes down for others to read the item with: its own handler.
        return cls.__bases__[1].typestr()


class _Arrays(_WithDigests, ocp.PyTreeCheckpointHandler):
    pass


class _Json(_WithDigests, ocp.JsonCheckpointHandler):
    pass


class _Iterator(_WithDigests, grain.checkpoint.CheckpointHandler):
    pass


HANDLERS = {
    _Arrays: (ocp.args.PyTreeSave, ocp.args.PyTreeRestore),
    _Json: (ocp.args.JsonSave, ocp.args.JsonRestore),
    _Iterator: (grain.checkpoint.CheckpointSave, grain.checkpoint.CheckpointRestore),
}


def handlers() -> ocp.handlers.DefaultCheckpointHandlerRegistry:
    """Handlers of arrays, JSON and data iterators that write digests."""
    registry = ocp.handlers.DefaultCheckpointHandlerRegistry()
    for kind, arguments in HANDLERS.items():
        handler = kind()
        for argument in arguments:
            registry.add(None, argument, handler)
    return registry
