"""From the name of an operation to the layer it belongs to. Pure parsing.

JAX names operations by the functions around them, as
`jit(step)/transpose(jvp(Autoencoder))/decoder/Conv_0/conv_general_dilated`.
"""

import re
from typing import Literal, NamedTuple

# What loops, conditions and recomputation add to names.
CONTROL = {
    *("body", "branch_0_fun", "branch_1_fun", "checkpoint", "closed_call", "cond"),
    *("remat", "rematted_computation", "while", "custom_jvp_call", "custom_vjp_call"),
}
MODULE = re.compile(r"(?:transpose\()?(?:jvp\()+(\w*)\)+")


class Place(NamedTuple):
    """Where an operation stands in the model."""

    layer: str  # modules from the outermost to the innermost; "" of none
    direction: Literal["forward", "backward", "other"]  # other: no gradient needs it
    operation: str  # the primitive


def place(op_name: str) -> Place:
    """The place of an operation; of several that were joined, that of the first."""
    words = re.split(r"/(?![^()]*\))", _first(op_name))
    *path, last = [word for word in words if word not in CONTROL] or [""]
    # What is computed again has its whole path once more behind that of its caller.
    starts = [i for i, word in enumerate(path) if MODULE.fullmatch(word)]
    layer = "/".join(filter(None, map(_module, path[max(starts, default=0) :])))
    # Of a loop as a whole, the name ends with what is around it.
    return Place(layer, _direction(op_name), "" if "(" in last else last)


def _first(op_name: str) -> str:
    """Operations that were joined stand in parentheses, with colons between them."""
    head, joined, names = op_name.partition("/(")
    return f"{head}/{names.split(':')[0].rstrip(')')}" if joined else op_name


def _direction(op_name: str) -> str:
    if "transpose(jvp(" in op_name:  # and not the name of a transposed convolution
        return "backward"
    return "forward" if "jvp(" in op_name else "other"


def _module(word: str) -> str:
    """The module that a part of a name stands for, or "" of none."""
    if found := MODULE.fullmatch(word):
        return found[1]
    # Other transformations have parentheses, and methods of modules a dot.
    return "" if re.search(r"[().<>]", word) else word
