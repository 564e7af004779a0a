"""Dotted paths of fields: `a.b` is field `b` of section `a`."""

from collections.abc import Mapping, Sequence
from typing import Any


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}; an empty section has no path."""
    flat = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{path}": v for path, v in flatten(value).items()}
        else:
            flat[name] = value
    return flat


def below(field: str, parents: Sequence[str]) -> bool:
    """Whether a path is one of `parents`, or lies below one."""
    return any(f"{field}.".startswith(f"{parent}.") for parent in parents)


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"a.b": 1} -> {"a": {"b": 1}}."""
    config = {}
    for path, value in flat.items():
        *sections, name = path.split(".")
        section = config
        for part in sections:
            section = section.setdefault(part, {})
        section[name] = value
    return config
