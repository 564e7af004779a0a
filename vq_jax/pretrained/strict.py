"""Foreign arrays against those of a model: all of them, no others, the same shapes."""

from collections.abc import Mapping

import numpy as np

from vq_jax.errors import InputError


def check(
    found: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Raises InputError with all missing, unexpected and misshapen arrays of `found`.

    Args:
        wanted: name -> shape.
        where: what `found` comes from, for the message.
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
