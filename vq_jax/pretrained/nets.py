"""Networks that a run reads and never trains: what they are, and where they come from.

A step and an evaluation are called with their parameters, {name: variables}, so that
these are part of no state and of no checkpoint.
"""

import dataclasses
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True)
class Net:
    """The parameters of a network that is there already.

    Attributes:
        shapes: their shapes and dtypes, without reading them.
        load: reads them; raises InputError where they are not to be had.
    """

    shapes: Callable[[], dict]
    load: Callable[[], dict]


def shapes(nets: Mapping[str, Net]) -> dict[str, dict]:
    """Shapes and dtypes of all of them, by name."""
    return {name: net.shapes() for name, net in nets.items()}


def load(nets: Mapping[str, Net]) -> dict[str, dict]:
    """The parameters of all of them, by name."""
    return {name: net.load() for name, net in nets.items()}
