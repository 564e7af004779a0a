"""The contract of a source: random access to records of one split."""

from typing import Protocol, TypedDict, runtime_checkable

import numpy as np
from jaxtyping import UInt8


class Record(TypedDict):
    """One image with what is known about it.

    `image` is uint8 [h, w, c] of native size; `label` is -1 where there is none.
    """

    image: UInt8[np.ndarray, "h w c"]
    label: int
    name: str


@runtime_checkable
class Source(Protocol):
    """Records by index. Picklable, since Grain sends it to worker processes.

    Attributes:
        name: The data set, without its split.
        split: Which part of it.
        description: One line for a run's header: what, and how many.
    """

    name: str
    split: str
    description: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record: ...
