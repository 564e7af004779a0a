"""Are these the fields of a section, with values that they take?

A section is described by a class beside the code that reads it: a TypedDict, or the
dataclass or module that is built from it. Names and types are those of its annotations,
numbers have their `ranges` there, choices are a `Literal`.
"""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, NotRequired, Required

from ml_collections import ConfigDict

from vq_jax.config.checks import check_choice, check_range
from vq_jax.config.ranges import NotEmpty, Range
from vq_jax.config.renamed import current_path
from vq_jax.errors import InputError

Section = Mapping | ConfigDict


def check_section(
    cls: type,
    section: Section,
    where: str,
    *,
    derived: Collection[str] = (),
    owner: str = "",
    advice: str = "",
) -> None:
    """Raises InputError where a section is not as its class describes it.

    Args:
        where: path of the section, as "config.optim".
        derived: fields of the class that follow from elsewhere, and may not be given.
        owner: what has these fields, for messages; by default the section.
        advice: what to do about a field that it does not have, for messages.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    own = field_names(cls) - set(derived)
    for name in section:
        check_known(name, own, where, owner, advice)
    for name in sorted(required_names(cls) - set(derived) - set(section)):
        raise InputError(
            f"{where}.{name} is missing; {owner or where} takes {sorted(own)}."
        )
    for name, value in section.items():
        check_value(hints[name], value, f"{where}.{name}")


def check_known(
    name: str, own: Collection[str], where: str, owner: str = "", advice: str = ""
) -> None:
    """Raises InputError where a field is none of a section's `own`; see above."""
    if name in own:
        return
    path = f"{where}.{name}"
    today = f"config.{current_path(path.removeprefix('config.'))}"
    near = difflib.get_close_matches(name, own, n=1)
    if today != path and path.startswith("config."):
        hint = f"; it is {today} now."
    else:
        hint = f"; did you mean {where}.{near[0]}?" if near else "."
    raise InputError(
        f"{path} is unknown{hint} {owner or where} takes {sorted(own)}.{advice}"
    )


def field_names(cls: type) -> set[str]:
    """Names of the fields that a class is configured by."""
    if typing.is_typeddict(cls):
        return set(cls.__annotations__)
    return {field.name for field in dataclasses.fields(cls)} - {"parent", "name"}


def required_names(cls: type) -> set[str]:
    """Names of the fields that have no default."""
    if typing.is_typeddict(cls):
        return set(cls.__required_keys__)
    missing = dataclasses.MISSING
    return {
        field.name
        for field in dataclasses.fields(cls)
        if field.default is missing and field.default_factory is missing
    }


def check_value(hint: Any, value: Any, where: str) -> None:
    """Raises InputError where a value does not fit the annotation of its field."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (NotRequired, Required):
        check_value(parts[0], value, where)
    elif origin is Annotated:
        check_value(parts[0], value, where)
        for limit in hint.__metadata__:
            _check_limit(limit, value, where)
    elif origin is Literal:
        check_choice(value, parts, where)
    elif origin is tuple:
        _check_tuple(parts, value, where)
    elif origin is Mapping:
        _check_type(value, *SECTION, where)
        for name, entry in value.items():
            check_value(parts[1], entry, f"{where}.{name}")
    elif origin in (typing.Union, types.UnionType):
        if value is not None:
            check_value(parts[0], value, where)
    elif typing.is_typeddict(hint) or dataclasses.is_dataclass(hint):
        _check_type(value, *SECTION, where)
        check_section(hint, value, where)
    elif hint in KINDS:
        _check_type(value, *KINDS[hint], where)
        if hint is float and not math.isfinite(value):
            raise InputError(f"{where}={value} must be a finite number.")


SECTION = (Section, "a section of fields")
# annotation -> what a value has to be, and what that is called
KINDS = {
    bool: (bool, "True or False"),
    int: (int, "an int"),  # not one of NumPy, which JSON does not keep
    float: (int | float, "a number"),
    str: (str, "a string"),
    Mapping: SECTION,
}


def _check_type(value: Any, kind: Any, called: str, where: str) -> None:
    # To Python True is a number.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where}={value!r} must be {called}.")


def _check_tuple(parts: tuple, value: Any, where: str) -> None:
    # JSON keeps a tuple as a list.
    if not isinstance(value, tuple | list):
        raise InputError(f"{where}={value!r} must be a tuple, as (1, 2), or (1,).")
    for entry in value:
        check_value(parts[0], entry, where)


def _check_limit(limit: Any, value: Any, where: str) -> None:
    if isinstance(limit, Range):
        check_range(value, *limit, where=where)
    elif limit is NotEmpty and not value:
        raise InputError(f"{where}={value!r} must have one entry or more.")
