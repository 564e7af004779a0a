"""Several groups of metrics as one, without losing any."""

from collections.abc import Mapping
from typing import Any


def joined(*groups: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of all groups.

    Raises:
        ValueError: two groups have an entry of the same name, and one would be lost.
    """
    found = {}
    for group in groups:
        twice = sorted(found.keys() & group.keys())
        if twice:
            raise ValueError(f"two metrics are called {twice}; rename one of each.")
        found |= group
    return found


def prefixed(prefix: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics, each name behind `prefix`."""
    return {f"{prefix}{name}": value for name, value in metrics.items()}
