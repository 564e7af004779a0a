"""Is this value allowed? A choice or a range, and an error that names the field.

Each check stands with the code that owns the field; `where` is the field's full path,
as `config.optim.name`, so that the message names what the user has to change.
"""

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

from ml_collections import ConfigDict

from vq_jax.errors import InputError

Number = int | float
T = TypeVar("T")


def choose(table: Mapping[str, T], name: str, where: str) -> T:
    """`table[name]`, or an InputError that names the field and the choices."""
    check_choice(name, table, where)
    return table[name]


def check_choice(value: str | int, choices: Iterable, where: str) -> None:
    """Raises InputError where `value` is none of the choices."""
    if value not in choices:
        raise InputError(
            f"{where}={value!r} is unknown; choose from {sorted(choices)}."
        )


def check_range(
    value: Number, low: Number, high: Number = math.inf, *, where: str
) -> None:
    """Raises InputError where `value` is outside of [low, high], or not a number."""
    if not low <= value <= high:
        raise InputError(f"{where}={value} must be in [{low}, {high}].")


def check_ranges(
    section: ConfigDict | Mapping, ranges: Mapping[str, tuple], where: str
) -> None:
    """`check_range` for the fields of a section: {field: (low,) or (low, high)}."""
    for field, limits in ranges.items():
        check_range(section[field], *limits, where=f"{where}.{field}")
