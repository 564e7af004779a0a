"""Warnings of a training that goes wrong, by signs in the metrics that are logged."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

PATIENCE = 5
"""Logged steps in a row that a sign has to last."""


class Sign(NamedTuple):
    """What to look for, and what to do about it."""

    shows: Callable[[Mapping[str, float]], bool]
    message: str


class Alarms:
    """Reports a sign after PATIENCE checks in a row, once an episode."""

    def __init__(self, signs: Mapping[str, Sign]):
        self._signs = signs
        self._lasted = dict.fromkeys(signs, 0)

    def check(self, metrics: Mapping[str, float]) -> dict[str, str]:
        """{name: message} of the signs that this check makes reports of."""
        reports = {}
        for name, sign in self._signs.items():
            self._lasted[name] = self._lasted[name] + 1 if sign.shows(metrics) else 0
            if self._lasted[name] == PATIENCE:
                reports[name] = sign.message
        return reports
