"""The contract of a source: random access to the records of one split."""

from collections.abc import Sequence
from typing import Protocol, TypedDict, runtime_checkable

import numpy as np
from jaxtyping import UInt8


class Record(TypedDict):
    """One image of a source, with its label and its name.

    `image` is uint8 [h, w, c] at native size; `label` is -1 if there is none.
    """

    image: UInt8[np.ndarray, "h w c"]
    label: int
    name: str


@runtime_checkable
class Source(Protocol):
    """Gives the records of a split by index.

    It can be pickled, since Grain sends it to worker processes.

    Attributes:
        name: Name of the data set, without the split.
        split: Name of the split.
        classes: Names of the labels 0, 1, …; empty where they have none.
        description: One line about the data, with the number of images.
        fingerprint: Another one for other records; checkpoints keep it, so that a
            resumed run can tell that its data have changed.
    """

    name: str
    split: str
    classes: Sequence[str]
    description: str
    fingerprint: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record: ...

    def label(self, index: int) -> int:
        """That of a record, whose image is not decoded for it."""
        ...
