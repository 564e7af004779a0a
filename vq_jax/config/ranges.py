"""The values that a number may have, stated with the type of its field.

    learning_rate: ranges.Weight
    levels: Annotated[tuple[ranges.Count, ...], ranges.NotEmpty]

`config/fields.py` checks them. Limits from above are far beyond use: they catch a slip
of the hand, such as a model that takes minutes to describe, before any work is done.
"""

from typing import Annotated, NamedTuple


class Range(NamedTuple):
    """The numbers from `low` to `high`, both included: `Annotated[float, Range(0, 1)]`.

    Neither infinity nor nan lies in any range.
    """

    low: float
    high: float = 1e9


class NotEmpty:
    """Of a tuple: it has entries."""


Natural = Annotated[int, Range(0, 10**9)]
Count = Annotated[int, Range(1, 10**9)]
Steps = Annotated[int, Range(0, 2**31 - 1)]  # they are counted in int32
Depth = Annotated[int, Range(0, 64)]  # of layers: every one takes time to compile
Repeats = Annotated[int, Range(1, 256)]  # of a module, likewise
Width = Annotated[int, Range(1, 2**14)]  # channels
Multipliers = Annotated[tuple[Annotated[int, Range(1, 64)], ...], NotEmpty]  # of them
CodebookSize = Annotated[int, Range(1, 2**24)]  # float32 counts, exact up to there
Weight = Annotated[float, Range(0.0)]
Positive = Annotated[float, Range(1e-6)]
Fraction = Annotated[float, Range(0.0, 1.0)]
DropRate = Annotated[float, Range(0.0, 0.99)]  # what is kept is divided by 1 - rate
Decay = Annotated[float, Range(0.0, 0.999_999)]  # a factor of an average, per step
