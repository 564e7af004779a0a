"""Where configurations differ, and whether that leaves a fair comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from vq_jax.config.paths import below, flatten
from vq_jax.errors import InputError

# A field stands for all below it. What the held-out images are:
HELD_OUT = (
    "data.source",
    "data.eval_split",
    "data.data_dir",
    "data.exclude_labels",
    "data.image_size",
    "data.channels",
    "data.resize",
    "data.kernel",
    "data.on_error",
    "evaluations.reconstruction.max_images",
)
# What has to be the same beside them, unless the user allows a difference.
ALIKE = ("data", "model", "batch_size", "num_steps", "seed")
# What changes no number.
FREE = ("data.num_threads", "data.prefetch")
# An option of the command that sets a field of every configuration.
OPTIONS = {"num_steps": "--steps", "seed": "--seeds"}


class Absent:
    """The value of a field that a configuration does not have."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


def differences(configs: Mapping[str, ConfigDict]) -> dict[str, dict[str, Any]]:
    """Field -> label -> value, for every field that is not the same in all `configs`.

    Fields are dotted paths, sorted; `ABSENT` is the value where there is no such field.
    """
    flat = {label: flatten(config.to_dict()) for label, config in configs.items()}
    fields = sorted(set().union(*flat.values()))
    values = {
        field: {label: own.get(field, ABSENT) for label, own in flat.items()}
        for field in fields
    }
    return {
        field: by_label
        for field, by_label in values.items()
        if any(value != next(iter(by_label.values())) for value in by_label.values())
    }


def check_fair(
    configs: Mapping[str, ConfigDict], allowed: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """`differences(configs)`, with the same data, generator, batch size and steps.

    Fields that `allowed` names, or that lie below one that it names, may differ; those
    that say what the held-out images are may never.

    Raises:
        InputError: there are fewer than two, one trains no tokenizer, a field differs
            that has to be the same, nothing differs, or `allowed` names no field.
    """
    for label, config in configs.items():
        if "model" not in config:
            raise InputError(
                f"{label}: a comparison is one of tokenizers, by their reconstructions,"
                f" and config.task={config.task!r} trains none. Compare priors by what "
                "vq-jax evaluate says of each."
            )
    if len(configs) < 2:
        (label,) = configs
        raise InputError(f"{label} is one configuration; name two or more.")
    _check_names(configs, allowed)
    found = differences(configs)
    unfair = {
        field: values
        for field, values in found.items()
        if below(field, HELD_OUT)
        or (below(field, ALIKE) and not below(field, (*FREE, *allowed)))
    }
    if unfair:
        lines = [_explain(field, values) for field, values in unfair.items()]
        raise InputError(
            "a comparison has one generator, data, batch size and number of steps, but "
            "these differ:\n" + "\n".join(lines)
        )
    if not found:
        raise InputError(
            f"{' and '.join(configs)} have the same configuration; there is nothing to "
            "compare."
        )
    return found


def _check_names(configs: Mapping[str, ConfigDict], allowed: Sequence[str]) -> None:
    fields = set().union(*(flatten(own.to_dict()) for own in configs.values()))
    for name in allowed:
        if not any(below(field, (name,)) for field in fields):
            raise InputError(
                f"--allow={name} names no field of the configurations; fields look "
                "like model.quantizer or data.flip."
            )


def _explain(field: str, values: Mapping[str, Any]) -> str:
    """One line: the field, its values, and what makes them equal."""
    listed = ", ".join(f"{label} {value!r}" for label, value in values.items())
    present = [value for value in values.values() if value is not ABSENT]
    if field in OPTIONS:
        advice = [f"{OPTIONS[field]}={present[0]}"]
    elif len(present) == len(values):
        advice = [f"--config.{field}={present[0]}"]
    else:
        advice = ["the same variant, as A.py:vq"]
    if not below(field, HELD_OUT):
        parent = ".".join(field.split(".")[:2])
        advice.append(f"--allow={parent} to compare that")
    return f"  config.{field}: {listed} ({', or '.join(advice)})"
