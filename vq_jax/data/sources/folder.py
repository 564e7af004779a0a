"""Images from a folder and its subfolders, whose top-level folders are the classes."""

import dataclasses
import hashlib
import os

from etils import epath

from vq_jax.data import reading
from vq_jax.data.decode import decode_image
from vq_jax.data.sources import listing, splits
from vq_jax.data.sources.base import Record
from vq_jax.errors import InputError


class FolderSource:
    """The image files below a folder, sorted by path; see `listing.list_images`.

    If there are folders PATH/train, PATH/test, …, all folders beside them are splits,
    too, and `split` names one in any usual spelling: "validation" is PATH/Valid as well
    (`splits.SPELLINGS`). Otherwise "test" is the first file and about 5 % of the rest,
    those with a low hash of their path (`splits.held_out`), and "train" the others. So
    a file stays in its split when others are added, when the folder is renamed and on
    other machines. "all" is every file of every split.

    A label is the position in `classes` of the name of a top-level folder, within the
    split's folder where there is one; images beside these folders have label -1.

    Attributes:
        files: Paths relative to PATH.
        classes: The same for every split. Names that are in no folder of a usual
            spelling come last.

    Args:
        path: The folder, on a disk or in a bucket (`gs://`).
        split: Name of the split.
        channels: 1 or 3.
        white_point: Of deep grey images, see `decode.decode_image`.
        skip_unreadable: Leave out folders that can't be read; they are errors else.

    Raises:
        InputError: The folder is missing, is a file, has no image or not the split.
    """

    def __init__(
        self,
        path: str,
        split: str,
        *,
        channels: int = 3,
        white_point: float = 0.0,
        skip_unreadable: bool = False,
    ):
        self.root = reading.open_folder(path)
        self.name, self.split = f"folder:{reading.printable(path)}", split
        self._decoding = {"channels": channels, "white_point": white_point}
        _check_folder(self.root)
        part = _Tree(self.root, self.name, skip_unreadable).part(split)
        self.files, self.classes, self._depth = part.files, part.classes, part.depth
        self._labels = {name: label for label, name in enumerate(self.classes)}
        self.fingerprint = f"{len(self)} images, list {_digest(part)}"
        count = f"{len(self)} images in {len(self.classes)} classes"
        self.description = "; ".join([f"{self.name}/{split}: {count}", *part.notes])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Record:
        path = self.root / self.files[index]
        image = decode_image(path, **self._decoding)
        name = reading.printable(path)
        return Record(image=image, label=self.label(index), name=name)

    def label(self, index: int) -> int:
        folders = self.files[index].split("/")[self._depth : -1]
        return self._labels[folders[0]] if folders else -1


@dataclasses.dataclass(frozen=True)
class _Part:
    """The files of a split; class folders lie `depth` folders below the root."""

    files: list[str]
    classes: list[str]
    depth: int
    notes: list[str]


@dataclasses.dataclass(frozen=True)
class _Tree:
    """A folder of images, from which `part` takes a split."""

    root: epath.Path
    name: str
    skip_unreadable: bool

    def part(self, split: str) -> _Part:
        folders = self._subfolders(self.root)
        custom = split in folders and split not in splits.HOLD_OUT
        if custom or any(splits.split_of(folder) for folder in folders):
            return self._of_split_folders(split, folders)
        return self._of_hold_out(split)

    def _of_split_folders(self, split: str, folders: list[str]) -> _Part:
        named = [folder for folder in folders if splits.split_of(folder)]
        if split == splits.ALL and split not in folders:
            found = self._list(self.root)
            files = found.files
        else:
            own = splits.find_folder(split, folders, self.name)
            apart = [self.root / folder for folder in named if folder != own]
            found = self._list(self.root / own, apart=apart)
            files = [f"{own}/{file}" for file in found.files]
        notes = [f"split folders {splits.describe(folders)}", *_left_out(found)]
        return _Part(files, self._classes(folders, named), depth=1, notes=notes)

    def _classes(self, folders: list[str], named: list[str]) -> list[str]:
        """Class names in any split; those of unusual split folders only are last."""
        usual, other = set(), set()
        for folder in folders:
            names = usual if folder in named else other
            names.update(self._subfolders(self.root / folder))
        return [*sorted(usual), *sorted(other - usual)]

    def _of_hold_out(self, split: str) -> _Part:
        if split not in splits.HOLD_OUT:
            raise InputError(
                f"{self.name} has no split {split!r}; choose from {[*splits.HOLD_OUT]}"
                f" or make folders named as {[*splits.SPELLINGS]}."
            )
        found = self._list(self.root)
        classes = sorted({file.split("/")[0] for file in found.files if "/" in file})
        notes = []
        like_splits = [name for name in classes if splits.looks_like_split(name)]
        if like_splits:
            notes.append(
                f"the classes {splits.some(like_splits)} look like splits; if they are,"
                f" name them as {[*splits.SPELLINGS]}"
            )
        files = self._held_out(found.files, split)
        return _Part(files, classes, depth=0, notes=[*notes, *_left_out(found)])

    def _held_out(self, files: list[str], split: str) -> list[str]:
        """The files of a split that is made by holding some out."""
        if split == splits.ALL:
            return files
        if len(files) < 2:
            raise InputError(
                f"{self.name} has {len(files)} image: too few to hold one out. Add"
                " images, make folders 'train' and 'test', or use split 'all'."
            )
        test = splits.held_out(files)
        return [file for file in files if (file in test) == (split == "test")]

    def _list(self, folder: epath.Path, **options) -> listing.Listing:
        return listing.list_images(
            folder, skip_unreadable=self.skip_unreadable, **options
        )

    def _subfolders(self, folder: epath.Path) -> list[str]:
        return listing.subfolders(folder, self.skip_unreadable)


def list_images(root: epath.Path) -> list[str]:
    """Sorted POSIX paths of the images below `root`, relative to it.

    Raises:
        InputError: `root` is no folder, has no image or a folder that can't be read.
    """
    _check_folder(root)
    return listing.list_images(root).files


def _check_folder(root: epath.Path) -> None:
    name = reading.printable(root)
    if not root.exists():
        raise InputError(f"config.data.source: folder {name} does not exist.")
    if not root.is_dir():
        raise InputError(
            f"config.data.source: {name} is a file; give the folder that holds it."
        )


def _left_out(found: listing.Listing) -> list[str]:
    return [f"left out: {found.left_out_text}"] if found.left_out else []


def _digest(part: _Part) -> str:
    names = "\n".join([*part.files, "", *part.classes])
    return hashlib.blake2b(os.fsencode(names), digest_size=4).hexdigest()
