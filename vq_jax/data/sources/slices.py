"""A part of a split, as `train[:500]`, in the way of TFDS."""

import re

from vq_jax.errors import InputError

PATTERN = re.compile(r"(?P<name>[^\[\]]+)\[(?P<start>\d*%?):(?P<stop>\d*%?)\]")


def cut(split: str) -> tuple[str, str, str]:
    """The name of a split, and the start and stop of its slice; "" where it has none.

    Raises:
        InputError: it has a bracket, and is no slice.
    """
    if "[" not in split:
        return split, "", ""
    found = PATTERN.fullmatch(split)
    if found is None or "%" in (found["start"], found["stop"]):
        raise InputError(
            f"split {split!r} is no slice; give it as train[:500], train[500:1000] or "
            "train[:10%]."
        )
    return found["name"], found["start"], found["stop"]


def rows(start: str, stop: str, count: int, where: str) -> slice:
    """The records of a slice, of a split that has `count`.

    Per cents are rounded to the nearest record, as those of TFDS are.

    Raises:
        InputError: they are none, or more than there are.
    """
    first, last = _position(start or "0", count), _position(stop or "100%", count)
    if not first < last <= count:
        raise InputError(
            f"{where} has {count} records, so [{start}:{stop}] stands for none, or for "
            f"more than there are; give a slice within [0:{count}]."
        )
    return slice(first, last)


def _position(text: str, count: int) -> int:
    if text.endswith("%"):
        return round(int(text[:-1]) * count / 100)
    return int(text)
