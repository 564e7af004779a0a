"""Which class each sample is of, from what a user asks for."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from vq_jax.errors import InputError
from vq_jax.models.priors.base import NO_CLASS, Prior

ALL, NONE = "all", "none"

Each = Sequence[int | str] | np.ndarray
Wanted = int | str | Each | None


def sample_labels(
    wanted: Wanted, count: int, prior: Prior, classes: Callable[[], Sequence[str]]
) -> Int[np.ndarray, "n"]:
    """The label of each of `count` samples.

    Args:
        wanted: a class, by number or by name; ALL classes in turn, 0, 1, …, so that
            there are equally many of each, or one less of the last ones; NONE, without
            a class; or one class for each sample. None is ALL where the prior has
            classes, and NONE where it has not.
        count: number of samples.
        prior: the prior.
        classes: returns the names of the classes; called for a name only.

    Raises:
        InputError: there is no such class, the prior has none, or it knows samples of a
            class only.
    """
    if wanted is None:
        wanted = ALL if prior.num_classes else NONE
    if isinstance(wanted, str) and wanted == ALL:
        _check_has_classes(prior, wanted)
        return balanced_labels(count, prior.num_classes)
    if isinstance(wanted, int | str | np.integer):
        return np.full(count, _label(wanted, prior, classes), np.int32)
    if len(wanted) != count:
        raise InputError(f"labels are {len(wanted)} and samples {count}; give as many.")
    return each_label(wanted, prior, classes)


def balanced_labels(count: int, num_classes: int) -> Int[np.ndarray, "n"]:
    """The classes in turn, so that each has as many images; NO_CLASS without classes.

    int32, and each class as often as any other where their number divides `count`.
    """
    if not num_classes:
        return np.full(count, NO_CLASS, np.int32)
    return np.arange(count, dtype=np.int32) % np.int32(num_classes)


def each_label(
    wanted: Each, prior: Prior, classes: Callable[[], Sequence[str]]
) -> Int[np.ndarray, "n"]:
    """Labels of classes by number, by name, or NONE; errors as above."""
    # Arrays of JAX, too, whose elements are no integers.
    wanted = wanted.tolist() if hasattr(wanted, "tolist") else wanted
    found = {label: _label(label, prior, classes) for label in set(wanted)}
    return np.asarray([found[label] for label in wanted], np.int32)


def _label(wanted: Any, prior: Prior, classes: Callable) -> int:
    if wanted == NONE or (isinstance(wanted, int | np.integer) and wanted == NO_CLASS):
        _check_knows_none(prior)
        return NO_CLASS
    _check_has_classes(prior, wanted)
    number = _number(wanted)
    if number is None:
        number = _named(wanted, classes())
    if not 0 <= number < prior.num_classes:
        raise InputError(
            f"labels={wanted}: the prior has classes 0 to {prior.num_classes - 1}."
        )
    return number


def _number(wanted: Any) -> int | None:
    """The number that a label is, or that its digits say; None for a name."""
    if isinstance(wanted, str):
        return int(wanted) if wanted.removeprefix("-").isdecimal() else None
    if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer):
        raise InputError(f"labels={wanted!r} must be numbers or names of classes.")
    return int(wanted)


def _named(wanted: str, classes: Sequence[str]) -> int:
    if wanted not in classes:
        shown = ", ".join(classes[:10]) + ", …" * (len(classes) > 10)
        raise InputError(
            f"labels={wanted!r} is no class of the training data, which have "
            f"{shown or 'none with a name'}; give one of these, a number, {ALL!r} or "
            f"{NONE!r}."
        )
    return list(classes).index(wanted)


def _check_has_classes(prior: Prior, wanted: Any) -> None:
    if not prior.num_classes:
        raise InputError(
            f"labels={wanted}: the prior knows no classes (config.prior.num_classes=0);"
            " give no labels."
        )


def _check_knows_none(prior: Prior) -> None:
    if prior.num_classes and not prior.class_dropout:
        raise InputError(
            f"labels={NONE!r}: the prior was trained with the class of every image "
            "(config.prior.class_dropout=0), and knows none without; name classes."
        )
