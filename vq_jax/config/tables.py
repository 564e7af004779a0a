"""From a section of the configuration that has a name to what it names."""

from collections.abc import Mapping

from ml_collections import ConfigDict

from vq_jax.config.checks import choose
from vq_jax.config.fields import check_section
from vq_jax.errors import InputError

ANOTHER_NAME = " To change to another name with its own fields, use --config=FILE:NAME."


def from_table(table: Mapping[str, type], config: ConfigDict, where: str, **derived):
    """An instance of the class that `config.name` names, with its other fields.

    Args:
        derived: fields that follow from elsewhere and must not be in `config`.

    Raises:
        InputError: the name is missing or unknown, or the section is not as the class
            describes it.
    """
    cls = class_of(table, config, where)
    return from_section(
        cls, config, where, f"{where}.name={config.name!r}", ANOTHER_NAME, **derived
    )


def class_of(table: Mapping[str, type], config: ConfigDict, where: str) -> type:
    """The class that `config.name` names.

    Raises:
        InputError: the name is missing or unknown.
    """
    if "name" not in config:
        raise InputError(f"{where}.name is missing; choose from {sorted(table)}.")
    return choose(table, config.name, f"{where}.name")


def from_section(
    cls: type,
    section: ConfigDict,
    where: str,
    owner: str = "",
    advice: str = "",
    /,
    **derived,
):
    """An instance of the class with the fields of a section, but for its name.

    Raises:
        InputError: the section is not as the class describes it; `owner` and `advice`
            as for `fields.check_section`.
    """
    given = {key: value for key, value in section.items() if key != "name"}
    check_section(cls, given, where, derived=derived, owner=owner, advice=advice)
    for key, value in given.items():
        if isinstance(value, list):  # as JSON keeps a tuple
            given[key] = tuple(value)
    return cls(**given, **derived)
