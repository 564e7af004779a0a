"""From a section of the configuration that has a name to what it names."""

import dataclasses
import typing
from collections.abc import Mapping

from ml_collections import ConfigDict

from vq_jax.config.checks import check_choice, choose
from vq_jax.errors import InputError


def from_table(table: Mapping[str, type], config: ConfigDict, where: str, **derived):
    """An instance of the class that `config.name` names, with its other fields.

    Args:
        derived: fields that follow from elsewhere and must not be in `config`.

    Raises:
        InputError: the name is unknown, a field is not one of the class's own, or a
            field that is a choice has another value.
    """
    cls = choose(table, config.name, f"{where}.name")
    return from_section(cls, config, where, **derived)


def from_section(cls: type, section: ConfigDict, where: str, /, **derived):
    """An instance of the class with the fields of a section, but for its name.

    Raises:
        InputError: a field is not one of the class's own, or one that is a choice has
            another value.
    """
    given = {key: value for key, value in section.items() if key != "name"}
    own = field_names(cls) - set(derived)
    unknown = sorted(set(given) - own)
    if unknown:
        raise InputError(
            f"{where}: {cls.__name__} has no {unknown}; it takes {sorted(own)}. To "
            "change to another family with its own fields, use --config=FILE:FAMILY."
        )
    check_literals(cls, given, where)
    for key, value in given.items():
        if isinstance(value, list):  # as JSON keeps a tuple
            given[key] = tuple(value)
    return cls(**given, **derived)


def check_literals(cls: type, given: Mapping, where: str) -> None:
    """Raises InputError where a field that is a `Literal` has a value that is none."""
    hints = typing.get_type_hints(cls)
    for key, value in given.items():
        if typing.get_origin(hints[key]) is typing.Literal:
            check_choice(value, typing.get_args(hints[key]), f"{where}.{key}")


def field_names(cls: type) -> set[str]:
    """Names of the fields that a class is configured by."""
    return {f.name for f in dataclasses.fields(cls)} - {"parent", "name"}
