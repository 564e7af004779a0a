"""Interprets pickles of plain data, by the few opcodes that writers of weights use.

Python's own unpickler, however restricted, can still be made to crash and to allocate
what a number in the file says. Here nothing is called but what the caller admits, a
container occurs in one place only, and so memory stays within the size of the file and
that of MAX_OPCODES objects.
"""

import itertools
import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any

MAX_OPCODES = 200_000  # a tensor takes 50
MAX_DEPTH = 8

VALUES = {
    "BINBYTES",
    "BININT",
    "BININT1",
    "BININT2",
    "BINUNICODE",
    "LONG1",
    "SHORT_BINBYTES",
    "SHORT_BINSTRING",
}
CONSTANTS = {"EMPTY_TUPLE": (), "NEWFALSE": False, "NEWTRUE": True, "NONE": None}
# What interpreting raises where the bytes are damaged.
BROKEN = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
)


class OrderedDict(dict):
    """Stands for `collections.OrderedDict`, whose attributes are passed over."""

    def __init__(self, items=()):
        super().__init__()
        for item in items:
            _set_items(self, item)

    def build(self, state) -> None:
        """PyTorch keeps version numbers in an attribute."""


def load(file, admitted: Mapping[str, Any], stored: Callable | None = None):
    """The value of the pickle at the position of `file`, which is moved behind it.

    Args:
        file: a binary file.
        admitted: "module name" of a global -> what stands for it. Functions and
            classes in it can be called with any arguments that a pickle can express,
            and an object has to have `build(state)` where state follows it.
        stored: from the identity of an object outside of the pickle to that object.

    Raises:
        One of BROKEN: the pickle is damaged or holds something else.
    """
    machine = _Machine(admitted, stored)
    for opcode, argument, _ in itertools.islice(pickletools.genops(file), MAX_OPCODES):
        if opcode.name == "STOP":
            return machine.stack.pop()
        machine.step(opcode.name, argument)
    raise pickle.UnpicklingError(f"it has more than {MAX_OPCODES} opcodes")


def arrays(found, array: Callable) -> dict:
    """Nested dicts, as `found`, with `array(leaf)` in the place of each leaf."""
    if not isinstance(found, dict):
        raise pickle.UnpicklingError("it holds no dict of arrays")
    return _arrays(found, array, depth=0)


def _arrays(found, array: Callable, depth: int):
    if not isinstance(found, dict):
        return array(found)
    if depth == MAX_DEPTH:
        raise pickle.UnpicklingError(f"dicts are nested more than {MAX_DEPTH} deep")
    return {name: _arrays(leaf, array, depth + 1) for name, leaf in found.items()}


class _Machine:
    def __init__(self, admitted: Mapping[str, Any], stored: Callable | None):
        self.admitted, self.stored = admitted, stored
        self.stack, self.marks, self.memo = [], [], {}

    def step(self, name: str, argument) -> None:
        stack = self.stack
        match name:
            case "PROTO":
                pass
            case _ if name in VALUES:
                stack.append(argument)
            case _ if name in CONSTANTS:
                stack.append(CONSTANTS[name])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "MARK":
                self.marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(self.marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                length = int(name[-1])
                stack[-length:] = [tuple(stack[-length:])]
            case "APPEND":
                value = stack.pop()
                stack[-1].append(value)
            case "APPENDS":
                values = self.marked()
                stack[-1].extend(values)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _set_items(stack[-1], [key, value])
            case "SETITEMS":
                values = self.marked()
                _set_items(stack[-1], values)
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.remembered(argument))
            case "GLOBAL":
                stack.append(self.found(argument))
            case "BINPERSID" if self.stored:
                stack.append(self.stored(*stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(stack.pop()(*arguments))
            case "BUILD":
                state = stack.pop()
                stack[-1].build(state)
            case _:
                raise pickle.UnpicklingError(f"opcode {name} is not admitted")

    def marked(self) -> list:
        """Pops all that was pushed since the last mark."""
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def remembered(self, argument):
        value = self.memo[argument]
        if isinstance(value, dict | list | tuple):
            raise pickle.UnpicklingError("a container occurs twice")
        return value

    def found(self, argument):
        if argument not in self.admitted:
            raise pickle.UnpicklingError(f"{argument!r:.80} is not admitted")
        return self.admitted[argument]


def _set_items(target, items) -> None:
    """Sets the items key, value, key, value, …"""
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Hashing nested tuples can crash Python, and names are printed.
        if not isinstance(key, str) or not key.isprintable():
            raise pickle.UnpicklingError("a key is not a printable string")
        target[key] = value
