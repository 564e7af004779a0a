"""Signs of a training that goes wrong, in what its steps and evaluations measure."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

PATIENCE = 5
"""Logged steps in a row that a sign has to last."""


class Sign(NamedTuple):
    """What to look for in metrics, and what to do about it.

    A sign of an evaluation is one of the numbers that this reports, by their names
    there.
    """

    shows: Callable[[Mapping[str, float]], bool]
    message: str
    patience: int = PATIENCE  # times in a row that it has to show
