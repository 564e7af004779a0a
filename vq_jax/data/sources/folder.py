"""Images from a folder and its subfolders, whose top-level folders are the classes."""

import zlib
from collections.abc import Iterator

from etils import epath

from vq_jax.data.decode import decode_image
from vq_jax.data.sources.base import Record
from vq_jax.errors import InputError

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
SPLIT_FOLDERS = ("train", "validation", "val", "test")
HOLD_OUT = ("train", "test", "all")
TEST_FRACTION = 0.05


class FolderSource:
    """The image files below a folder, sorted by path, without hidden files.

    If there are folders PATH/train, PATH/test, …, each is a split. Otherwise "test" is
    about 5 % of the files, and at least one: those with the lowest CRC-32 of their
    relative path, so that the split stays the same when the folder is renamed and on
    other machines. The rest is "train", and "all" is both.

    A label is the position of a top-level folder's name among all such names, sorted,
    over all splits; images beside these folders have label -1.

    Raises:
        InputError: The folder is missing, is a file, has no image or not the split.
    """

    def __init__(self, path: str, split: str, *, channels: int = 3):
        self.root = epath.Path(path).expanduser()
        self.name, self.split, self.channels = f"folder:{path}", split, channels
        _check_folder(self.root)
        folders = [f for f in SPLIT_FOLDERS if (self.root / f).is_dir()]
        if split not in folders and (self.root / split).is_dir() and split != "all":
            folders.append(split)
        if folders:
            self.files, self.classes = self._from_split_folder(folders)
        else:
            self.files, self.classes = self._from_hold_out()
        self.description = (
            f"{self.name}/{split}: {len(self)} images in {len(self.classes)} classes"
        )

    def _from_split_folder(self, folders: list[str]) -> tuple[list[str], list[str]]:
        if self.split not in folders:
            raise InputError(
                f"{self.name} has no split {self.split!r}; its split folders are"
                f" {folders} (looked for {[*SPLIT_FOLDERS]})."
            )
        classes = {
            child.name
            for folder in folders
            for child in (self.root / folder).iterdir()
            if child.is_dir() and not child.name.startswith(".")
        }
        self.root = self.root / self.split
        return list_images(self.root), sorted(classes)

    def _from_hold_out(self) -> tuple[list[str], list[str]]:
        if self.split not in HOLD_OUT:
            raise InputError(
                f"{self.name} has no split {self.split!r}; choose from {[*HOLD_OUT]} or"
                f" make folders named as {[*SPLIT_FOLDERS]}."
            )
        files = list_images(self.root)
        classes = sorted({file.split("/")[0] for file in files if "/" in file})
        if self.split == "all":
            return files, classes
        if len(files) < 2:
            raise InputError(
                f"{self.name} has {len(files)} image: too few to hold one out. Add"
                " images, make folders 'train' and 'test', or use split 'all'."
            )
        by_hash = sorted(files, key=lambda file: (zlib.crc32(file.encode()), file))
        num_test = max(1, round(TEST_FRACTION * len(files)))
        part = by_hash[:num_test] if self.split == "test" else by_hash[num_test:]
        return sorted(part), classes

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Record:
        file = self.files[index]
        path = self.root / file
        image = decode_image(path, channels=self.channels)
        label = self.classes.index(file.split("/")[0]) if "/" in file else -1
        return Record(image=image, label=label, name=str(path))


def _check_folder(root: epath.Path) -> None:
    if not root.exists():
        raise InputError(f"config.data.source: folder {root} does not exist.")
    if not root.is_dir():
        raise InputError(
            f"config.data.source: {root} is a file; give the folder that holds it."
        )


def list_images(root: epath.Path) -> list[str]:
    """Sorted POSIX paths of the images below `root`, relative to it.

    Raises:
        InputError: `root` is no folder, or has no image.
    """
    _check_folder(root)
    files = sorted(_walk(root, ""))
    if not files:
        raise InputError(
            f"config.data.source: no images below {root}; looked for {[*EXTENSIONS]}."
        )
    return files


def _walk(folder: epath.Path, prefix: str) -> Iterator[str]:
    """Paths of all images below `folder`.

    Written out, since epath has no recursive glob and its walk ignores linked folders.
    """
    for child in folder.iterdir():
        if child.name.startswith("."):
            continue
        # The name first: asking a bucket about every file would take hours.
        if child.name.lower().endswith(EXTENSIONS):
            yield prefix + child.name
        elif child.is_dir():
            yield from _walk(child, f"{prefix}{child.name}/")
