"""The text of a compiled program: computations of instructions. Pure parsing.

`jax.stages.Compiled.as_text()` gives it, for one device. An instruction is one line:

    %name = shape opcode(%operand, …), attribute=…, metadata={…}, backend_config={…}
"""

import dataclasses
import functools
import math
import re
from collections.abc import Mapping

# Bits of an element; names of others (tokens, opaque values) hold no data.
BITS = {"pred": 8, "bf16": 16}
ELEMENT = re.compile(r"[a-z]+?(\d+)(?:e\dm\d\w*)?")
ARRAY = re.compile(r"\b([a-z]+[0-9a-z]*)\[([\d,<=]*)\]")
NAME = re.compile(r"%([\w.\-]+)")
COMPUTATION = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*\{$")
CALLED = re.compile(
    r"\b(calls|to_apply|body|condition|branch_computations|true_computation"
    r"|false_computation|called_computations)=(\{[^}]*\}|%[\w.\-]+)"
)
CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
NO_ESTIMATE = 2**63 - 1  # what the compiler writes of scatters on v6e
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
OP_NAME = re.compile(r'op_name="((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
        name: unique in the program.
        shape: of the result, as text; a tuple stands in parentheses.
        opcode: as "fusion", "all-reduce-start".
        arguments: the text between the parentheses after the opcode.
        attributes: the text behind them.
    """

    name: str
    shape: str
    opcode: str
    arguments: str
    attributes: str

    @property
    def operands(self) -> list[str]:
        """Names of the instructions whose results it reads."""
        return NAME.findall(self.arguments)

    @property
    def num_bytes(self) -> int:
        """Of the result; of all arrays where it is a tuple."""
        return num_bytes(self.shape)

    @property
    def cycles(self) -> int | None:
        """The compiler's estimate for one execution, where there is one."""
        found = CYCLES.search(self.attributes)
        return int(found[1]) if found and int(found[1]) != NO_ESTIMATE else None

    @property
    def op_name(self) -> str:
        """Where in the Python program it comes from; "" where that is not known."""
        found = OP_NAME.search(self.attributes)
        return found[1] if found else ""

    @property
    def called(self) -> dict[str, list[str]]:
        """Kind of call -> names of computations, as {"body": ["region_1"]}."""
        found = CALLED.findall(self.attributes)
        return {kind: NAME.findall(names) for kind, names in found}

    def attribute(self, name: str) -> str | None:
        """The text after `name=`, of an attribute without spaces or in braces."""
        found = re.search(rf"\b{name}=(\{{[^}}]*\}}|[^\s,]+)", self.attributes)
        return found[1] if found else None


Computation = Mapping[str, Instruction]  # by name, in order


@dataclasses.dataclass(frozen=True)
class Program:
    """All computations by name, and the name of the one that is run."""

    computations: Mapping[str, Computation]
    entry: str

    @functools.cached_property
    def instructions(self) -> dict[str, Instruction]:
        """Those of all computations, by name."""
        return {
            name: instruction
            for computation in self.computations.values()
            for name, instruction in computation.items()
        }

    def operands(self, instruction: Instruction) -> list[Instruction]:
        """The instructions whose results it reads."""
        return [self.instructions[name] for name in instruction.operands]


def parse(text: str) -> Program:
    """The program of a text.

    Raises:
        ValueError: it has no entry.
    """
    computations, entry, current = {}, None, None
    for line in text.splitlines():
        if line.startswith((" ", "\t")):
            instruction = _instruction(line.strip())
            if current is not None and instruction:
                current[instruction.name] = instruction
        elif found := COMPUTATION.match(line):
            current = computations[found[2]] = {}
            entry = found[2] if found[1] else entry
    if entry is None:
        raise ValueError("the text is no compiled program: it has no ENTRY.")
    return Program(computations, entry)


def num_bytes(shape: str) -> int:
    """Bytes of all arrays that a shape names, without the padding of their tiles."""
    return sum(
        math.ceil(_bits(element) * math.prod(_sizes(sizes)) / 8)
        for element, sizes in ARRAY.findall(shape)
    )


def dimensions(shape: str) -> tuple[int, ...]:
    """Sizes of the first array that a shape names."""
    found = ARRAY.search(shape)
    return _sizes(found[2]) if found else ()


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size.strip("<=")) for size in text.split(",") if size)


def _bits(element: str) -> int:
    found = ELEMENT.fullmatch(element)
    return BITS.get(element) or (int(found[1]) if found else 0)


def _instruction(line: str) -> Instruction | None:
    """The instruction of a line, or None where it holds none."""
    name, equals, rest = line.removeprefix("ROOT ").partition(" = ")
    if not equals:
        return None
    end = _closing(rest) + 1 if rest.startswith("(") else rest.find(" ")
    shape, call = rest[:end], rest[end:].lstrip()
    opening = call.find("(")
    if opening <= 0:
        return None
    closing = opening + _closing(call[opening:])
    return Instruction(
        name.lstrip("%"),
        shape,
        call[:opening],
        call[opening + 1 : closing],
        call[closing + 1 :],
    )


def _closing(text: str) -> int:
    """Index of the parenthesis that closes the one that a text begins with."""
    depth = 0
    for found in re.finditer(r"[()]", text):
        depth += 1 if found[0] == "(" else -1
        if not depth:
            return found.start()
    return len(text)
