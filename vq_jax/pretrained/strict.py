"""Checks that arrays from elsewhere are exactly those that a model needs."""

from collections.abc import Mapping

import numpy as np

from vq_jax.errors import InputError


def check(
    found: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Raises InputError that lists all missing, unexpected and misshapen arrays.

    Args:
        found: name -> array.
        wanted: name -> shape.
        where: where `found` comes from, for the message.
    """
    wrong = [f"  {name} is missing" for name in wanted if name not in found]
    wrong += [f"  {name} is unexpected" for name in found if name not in wanted]
    wrong += [
        f"  {name} is {found[name].shape}, and should be {tuple(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name].shape != tuple(shape)
    ]
    if wrong:
        raise InputError(f"{where} does not fit:\n" + "\n".join(sorted(wrong)))
