"""A source without the images of some classes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from vq_jax.data.sources.base import Record, Source
from vq_jax.errors import InputError

# (fingerprint, labels) -> positions of the records that have none of these labels.
_kept: dict[tuple[str, tuple[int, ...]], Int[np.ndarray, "n"]] = {}


class SourceWithoutClasses:
    """The records of a source whose labels are none of some; others keep theirs.

    Attributes:
        source: where they come from.
        positions: of each record, where it is in that source.
    """

    def __init__(self, source: Source, positions: Int[np.ndarray, "n"], note: str):
        self.source, self.positions = source, positions
        self.name, self.split, self.classes = source.name, source.split, source.classes
        self.description = f"{source.description}; {len(positions)} {note}"
        self.fingerprint = f"{source.fingerprint}; {len(positions)} {note}"

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Record:
        return self.source[int(self.positions[index])]

    def label(self, index: int) -> int:
        return self.source.label(int(self.positions[index]))


def without_classes(source: Source, labels: Sequence[int]) -> Source:
    """The source itself where there are no labels to exclude.

    Labels are read one by one, which takes a while where they lie within records
    (TFDS), so once for all sources of one fingerprint; images are not decoded.

    Raises:
        InputError: a label that the source does not have, or nothing is left.
    """
    if not labels:
        return source
    where, count = f"config.data.exclude_labels={tuple(labels)}", len(source.classes)
    wrong = [label for label in labels if not 0 <= label < count]
    if wrong:
        numbers = f"has labels 0 to {count - 1}" if count else "has no labels"
        raise InputError(
            f"{where}: {source.name} {numbers}; give numbers of its classes, or () to "
            "exclude none."
        )
    labels = tuple(sorted(set(labels)))
    positions = _positions_without(source, labels)
    if not len(positions):
        raise InputError(
            f"{where} leaves no image of {source.name}/{source.split}; exclude fewer "
            "classes."
        )
    numbers = ", ".join(map(str, labels))
    return SourceWithoutClasses(source, positions, f"of other labels than {numbers}")


def _positions_without(source: Source, labels: tuple[int, ...]):
    key = source.fingerprint, labels
    if key not in _kept:
        found = np.array([source.label(index) for index in range(len(source))])
        _kept[key] = np.flatnonzero(~np.isin(found, labels))
    return _kept[key]
