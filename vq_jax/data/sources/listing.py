"""The image files below a folder: each real file once, and what is left out."""

import dataclasses
import os
import stat
from collections import Counter, deque
from collections.abc import Sequence

from etils import epath

from vq_jax.data import decode, reading
from vq_jax.errors import InputError

# What systems put beside the files of users; thumbnails and deleted pictures among it.
SYSTEM = ("lost+found", "@eaDir", "$RECYCLE.BIN", "System Volume Information")

# Kinds of what is left out, besides endings.
LINKED = "links to what is there anyway"
BROKEN = "broken links"
SPECIAL = "special files"
UNREADABLE = "unreadable folders"
NO_ENDING = "without ending"

MAX_KINDS = 6


@dataclasses.dataclass(frozen=True)
class Listing:
    """What was found.

    Attributes:
        files: POSIX paths of the images relative to the folder, sorted.
        left_out: How many of each ending, or of each other kind, are none of them.
    """

    files: list[str]
    left_out: Counter

    @property
    def left_out_text(self) -> str:
        """As "7 .txt, 2 broken links"; "" if nothing is left out."""
        kinds = [f"{count} {kind}" for kind, count in self.left_out.most_common()]
        if len(kinds) > MAX_KINDS:
            kinds[MAX_KINDS:] = [f"{len(kinds) - MAX_KINDS} more kinds"]
        return ", ".join(kinds)


def list_images(
    root: epath.Path,
    *,
    skip_unreadable: bool = False,
    apart: Sequence[epath.PathLike] = (),
) -> Listing:
    """Lists the files below `root` that have an ending of an image.

    Hidden files and those of systems are not looked at. A link counts only if it leads
    to something that is not there without it, so that a file has one path, and no link
    into the folders `apart` counts.

    Raises:
        InputError: There is none, or a folder can't be read and `skip_unreadable` is
            not set.
    """
    walk = _BucketWalk() if reading.is_remote(root) else _Walk(skip_unreadable, apart)
    walk.below(root)
    found = Listing(sorted(walk.files), walk.left_out)
    if not found.files:
        text = f" Left out: {found.left_out_text}." if found.left_out else ""
        raise InputError(
            f"config.data.source: no images below {reading.printable(root)}; looked for"
            f" {[*decode.extensions()]}.{text}"
        )
    return found


def subfolders(folder: epath.Path, skip_unreadable: bool = False) -> list[str]:
    """The names of the folders in a folder, sorted; links to folders are among them.

    Raises:
        InputError: It can't be read, and `skip_unreadable` is not set.
    """
    if reading.is_remote(folder):
        others = (c for c in folder.iterdir() if not _is_image(c.name))
        return sorted(c.name for c in others if not _is_hidden(c.name) and c.is_dir())
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not _is_hidden(entry.name)]
            return sorted(entry.name for entry in shown if os.path.isdir(entry))
    except OSError as error:
        if skip_unreadable:
            return []
        raise _unreadable(folder, error) from error


class _BucketWalk:
    """The files of a bucket, which has no links and may have any number of files."""

    def __init__(self):
        self.files: list[str] = []
        self.left_out = Counter()

    def below(self, folder: epath.Path, prefix: str = "") -> None:
        for child in folder.iterdir():
            if _is_hidden(child.name):
                continue
            # The name first: asking a bucket about every file would take hours.
            if _is_image(child.name):
                self.files.append(prefix + child.name)
            elif child.is_dir():
                self.below(child, f"{prefix}{child.name}/")
            else:
                self.left_out[_ending(child.name)] += 1


class _Walk:
    """The files of a disk. Links are followed last: a file's own path comes first."""

    def __init__(self, skip_unreadable: bool, apart: Sequence[epath.PathLike]):
        self.files: list[str] = []
        self.left_out = Counter()
        self._skip_unreadable = skip_unreadable
        self._apart = tuple(f"{os.path.realpath(folder)}/" for folder in apart)
        self._folders: set[str] = set()  # real paths of those that were walked
        self._targets: set[str] = set()  # real paths of files that links gave
        self._linked_folders: deque[tuple[str, str]] = deque()
        self._linked_files: list[tuple[str, str]] = []

    def below(self, root: epath.Path) -> None:
        self._folder(os.path.realpath(root), "")
        while self._linked_folders:
            self._follow_folder(*self._linked_folders.popleft())
        for real, shown in self._linked_files:
            self._follow_file(real, shown)

    def _folder(self, real: str, shown: str) -> None:
        """Walks a folder: its real path, and the path with "/" that its files get."""
        folders = deque([(real, shown)])
        while folders:
            real, shown = folders.popleft()
            if real in self._folders:
                continue
            self._folders.add(real)
            for name, kind in self._entries(real):
                if kind == stat.S_IFDIR:
                    folders.append((f"{real}/{name}", f"{shown}{name}/"))
                elif kind == stat.S_IFLNK:
                    self._link(f"{real}/{name}", f"{shown}{name}")
                elif kind == stat.S_IFREG:
                    self._file(f"{shown}{name}")
                else:
                    self.left_out[SPECIAL] += 1

    def _entries(self, real: str) -> list[tuple[str, int]]:
        """(name, kind) of what a folder holds, sorted by name."""
        try:
            with os.scandir(real) as entries:
                shown = [e for e in entries if not _is_hidden(e.name)]
                return sorted((e.name, _kind(e)) for e in shown)
        except OSError as error:
            if self._skip_unreadable and len(self._folders) > 1:
                self.left_out[UNREADABLE] += 1
                return []
            raise _unreadable(real, error) from error

    def _file(self, shown: str) -> None:
        if _is_image(shown):
            self.files.append(shown)
        else:
            self.left_out[_ending(shown)] += 1

    def _link(self, real: str, shown: str) -> None:
        try:
            kind = stat.S_IFMT(os.stat(real).st_mode)
        except OSError:  # it leads nowhere, or round in a circle
            self.left_out[BROKEN] += 1
            return
        if kind == stat.S_IFDIR:
            self._linked_folders.append((real, shown))
        elif kind == stat.S_IFREG:
            self._linked_files.append((real, shown))
        else:
            self.left_out[SPECIAL] += 1

    def _follow_folder(self, real: str, shown: str) -> None:
        target = os.path.realpath(real)
        holds_itself = f"{real}/".startswith(f"{target.rstrip('/')}/")
        if target in self._folders or holds_itself or self._is_apart(target):
            self.left_out[LINKED] += 1
        else:
            self._folder(target, f"{shown}/")

    def _follow_file(self, real: str, shown: str) -> None:
        target = os.path.realpath(real)
        folder, name = os.path.split(target)
        is_listed = folder in self._folders and _is_image(name) and not _is_hidden(name)
        if not _is_image(shown):
            self.left_out[_ending(shown)] += 1
        elif is_listed or target in self._targets or self._is_apart(target):
            self.left_out[LINKED] += 1
        else:
            self._targets.add(target)
            self.files.append(shown)

    def _is_apart(self, target: str) -> bool:
        return f"{target}/".startswith(self._apart)


def _unreadable(folder: epath.PathLike, error: OSError) -> InputError:
    return InputError(
        f"folder {reading.printable(folder)} can't be read ({error.strerror}); check"
        " its permissions. config.data.on_error='skip' leaves it out."
    )


def _kind(entry: os.DirEntry) -> int:
    """The kind of an entry, without a call of the system for each."""
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if entry.is_file(follow_symlinks=False) else 0


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM


def _is_image(name: str) -> bool:
    return name.lower().endswith(decode.extensions())


def _ending(name: str) -> str:
    return reading.printable(os.path.splitext(name)[1].lower()) or NO_ENDING
