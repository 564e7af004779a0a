"""Which files of a folder are in which split, and what splits are called."""

import hashlib
import os
import re
from collections.abc import Sequence

from vq_jax.errors import InputError

# Of folders, in small or capital letters.
SPELLINGS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
ALL = "all"
HOLD_OUT = ("train", "test", ALL)
TEST_FRACTION = 0.05
MAX_NAMES = 6


def split_of(name: str) -> str | None:
    """The split that a name spells, a key of `SPELLINGS`; None if it is no split's."""
    lowered = name.lower()
    return next((s for s, names in SPELLINGS.items() if lowered in names), None)


def looks_like_split(name: str) -> bool:
    """Whether a word of a name is that of a split, as in "val2017" or "test_images"."""
    return any(split_of(word) for word in re.split("[^a-z]+", name.lower()))


def find_folder(split: str, folders: Sequence[str], where: str) -> str:
    """The folder that `split` names, in its own or another spelling.

    Raises:
        InputError: none does, or more than one.
    """
    if split in folders:
        return split
    wanted = split_of(split)
    found = [folder for folder in folders if wanted and split_of(folder) == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{where}: split {split!r} may be any of {found}; name one.")
    raise InputError(
        f"{where} has no split {split!r}; its split folders are {describe(folders)}."
        f" Set config.data.train_split and eval_split to two of them, or to {ALL!r}."
    )


def describe(folders: Sequence[str]) -> str:
    """The names of split folders, and apart from them those of others beside them."""
    named = [folder for folder in folders if split_of(folder)]
    others = [folder for folder in folders if folder not in named]
    if not named or not others:
        return some(named or others)
    return f"{some(named)}, and beside them are {some(others)}"


def some(names: Sequence[str]) -> str:
    """The first of many names."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"{[*names[:MAX_NAMES]]}{more}"


def held_out(files: Sequence[str]) -> set[str]:
    """The files that are kept from training, of a sorted list of two or more.

    They are the first file, so that there is one, and those whose path has a hash in
    the lowest `TEST_FRACTION` of its range. So each stays when files are added, but for
    the first one when another comes before it.
    """
    low = {file for file in files if _position(file) < TEST_FRACTION}
    found = {files[0], *low}
    return found if len(found) < len(files) else {files[0]}


def _position(file: str) -> float:
    """A number in [0, 1) that follows from a path, evenly spread over paths."""
    digest = hashlib.blake2b(os.fsencode(file), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
