"""Is this value allowed? A choice or a range, and an error that names the field.

Each check stands with the code that owns the field; `where` is the field's full path,
as `config.optim.name`, so that the message names what the user has to change.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from vq_jax.errors import InputError

Number = int | float
T = TypeVar("T")


def choose(table: Mapping[str, T], name: Any, where: str) -> T:
    """`table[name]`, or an InputError that names the field and the choices."""
    check_choice(name, table, where)
    return table[name]


def check_choice(value: Any, choices: Iterable[str | int], where: str) -> None:
    """Raises InputError where `value` is none of the choices."""
    # To Python True is the number 1, and others may not be looked up.
    is_known = isinstance(value, str | int) and not isinstance(value, bool)
    if not is_known or value not in choices:
        raise InputError(
            f"{where}={value!r} is unknown; choose from {sorted(choices)}."
        )


def check_range(
    value: Number, low: Number, high: Number = math.inf, *, where: str
) -> None:
    """Raises InputError where `value` is outside of [low, high], or not a number."""
    if not low <= value <= high:
        raise InputError(f"{where}={value} must be in [{low}, {high}].")
