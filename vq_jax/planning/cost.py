"""What a compiled program costs: sums over its text. Pure arithmetic.

An instruction in a loop counts once a round. Every branch of a condition counts as if
it were taken: an upper bound, close where one branch does nothing.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vq_jax.planning import products
from vq_jax.planning.hlo import TRIPS, Instruction, Program
from vq_jax.planning.layers import Place, place

COLLECTIVES = (
    *("all-reduce", "reduce-scatter", "all-gather", "all-to-all"),
    *("collective-permute", "collective-broadcast", "ragged-all-to-all"),
)
# Of what they call, an instruction of the program around it is the whole.
WHOLE = ("fusion", *COLLECTIVES, "reduce", "reduce-window", "scatter", "sort", "map")
# No work: names of values, and the second halves of operations that were started.
FREE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast")

STEPS_TO_NAMES = 3  # from an instruction without a name to those that it reads


class Executed(NamedTuple):
    """An instruction, and how often a step executes it."""

    instruction: Instruction
    rounds: int


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Collectives of one kind: how many a step executes, and a chip's bytes in them.

    `largest` is that of the largest one, and `where` what it belongs to.
    """

    count: int
    num_bytes: int
    largest: int
    where: str


@dataclasses.dataclass(frozen=True)
class Dear:
    """An instruction of those that cost most; `cycles` are None where not estimated.

    All numbers are those of a step: rounds of a loop are added up.
    """

    name: str
    layer: str
    direction: str
    operation: str
    shape: str
    rounds: int
    cycles: int | None
    flops: int
    num_bytes: int


def executed(program: Program, *, inside: bool = False) -> Iterator[Executed]:
    """All instructions that a step executes; with `inside`, those of fusions, too."""
    yield from _executed(program, program.entry, 1, inside)


def _executed(
    program: Program, name: str, rounds: int, inside: bool
) -> Iterator[Executed]:
    for instruction in program.computations[name].values():
        yield Executed(instruction, rounds)
        if not inside and instruction.opcode in WHOLE:
            continue
        times = rounds * (trip_count(program, instruction) or 1)
        for names in instruction.called.values():
            for called in names:
                yield from _executed(program, called, times, inside)


def trip_count(program: Program, instruction: Instruction) -> int | None:
    """Rounds of a loop; 1 of what is none, None where they depend on data.

    Where the compiler does not say it, a loop with one number in its condition counts
    up to it from 0, as those of `jax.lax.scan` do.
    """
    if instruction.opcode != "while":
        return 1
    if found := TRIPS.search(instruction.attributes):
        return int(found[1])
    (condition,) = instruction.called["condition"]
    numbers = [
        int(one.arguments)
        for one in program.computations[condition].values()
        if one.opcode == "constant" and re.match(r"[su]\d+\[\]", one.shape)
    ]
    return numbers[0] if len(numbers) == 1 else None


def unknown_loops(program: Program) -> int:
    """The number of loops that are counted as one round, for want of their number."""
    return sum(
        trip_count(program, one.instruction) is None for one in executed(program)
    )


def cycles(program: Program) -> int | None:
    """The sum of the compiler's estimates, or None where it makes none."""
    found = [
        one.instruction.cycles * one.rounds
        for one in executed(program)
        if one.instruction.cycles is not None
    ]
    return sum(found) if found else None


def flops_of_rounds(program: Program) -> int:
    """Flops of products in all rounds of loops but the first, which compilers count."""
    return sum(
        products.flops(one.instruction, program) * (one.rounds - 1)
        for one in executed(program, inside=True)
        if one.rounds > 1
    )


def collectives(program: Program) -> dict[str, Traffic]:
    """What a chip sends by collectives, by their kind; kinds that do not occur, not.

    Bytes are those of the operand, or of the result where it is the larger one, as an
    all-gather's is: how much a chip puts into or gets out of it, whatever goes over the
    links.
    """
    found: dict[str, list[tuple[int, int, str]]] = {}
    for instruction, rounds in executed(program, inside=True):
        kind = instruction.opcode.removesuffix("-start")
        if kind not in COLLECTIVES:
            continue
        operands = sum(one.num_bytes for one in program.operands(instruction))
        result = instruction.num_bytes
        if instruction.opcode == "all-gather-start":  # (operands, results)
            result -= operands
        size = result if kind == "all-gather" else operands
        where = place(instruction.op_name)
        label = f"{where.direction} {where.layer or where.operation}"
        found.setdefault(kind, []).append((size, rounds, label))
    return {
        kind: Traffic(
            count=sum(rounds for _, rounds, _ in found[kind]),
            num_bytes=sum(size * rounds for size, rounds, _ in found[kind]),
            largest=max(found[kind])[0],
            where=max(found[kind])[2],
        )
        for kind in COLLECTIVES
        if kind in found
    }


def dearest(program: Program, count: int) -> list[Dear]:
    """The instructions that cost most: by cycles, else by flops and bytes."""
    dear = [
        _dear(program, one)
        for one in executed(program)
        if one.instruction.opcode not in FREE and not _calls_counted(one.instruction)
    ]
    dear.sort(key=lambda one: (one.cycles or 0, one.flops, one.num_bytes), reverse=True)
    return dear[:count]


def _calls_counted(instruction: Instruction) -> bool:
    """Whether what it calls is counted by itself."""
    return bool(instruction.called) and instruction.opcode not in WHOLE


def _place(
    program: Program, instruction: Instruction, inside: Sequence[Instruction]
) -> Place:
    """Where an instruction belongs; one without a name, by what it calls or reads.

    Compilers drop names of gradients that they rewrite. What reads a gradient is one.
    """
    if instruction.op_name:
        return place(instruction.op_name)
    around = [*inside, *program.operands(instruction)]
    for _ in range(STEPS_TO_NAMES):
        named = [place(one.op_name) for one in around]
        named = [at._replace(operation=instruction.opcode) for at in named if at.layer]
        if named:
            return max(named, key=lambda at: at.direction == "backward")
        around = [read for one in around for read in program.operands(one)]
    return place("")


def _dear(program: Program, one: Executed) -> Dear:
    instruction, rounds = one
    inside = [
        inner
        for names in instruction.called.values()
        for name in names
        for inner in _executed(program, name, 1, inside=True)
    ]
    at = _place(program, instruction, [inner.instruction for inner in inside])
    flops = products.flops(instruction, program) + sum(
        products.flops(inner, program) * times for inner, times in inside
    )
    read = sum(operand.num_bytes for operand in program.operands(instruction))
    return Dear(
        name=instruction.name,
        layer=at.layer,
        direction=at.direction,
        operation=at.operation or instruction.opcode,
        shape=re.sub(r"\{[^{}]*\}|/\*.*?\*/", "", instruction.shape),
        rounds=rounds,
        cycles=None if instruction.cycles is None else instruction.cycles * rounds,
        flops=flops * rounds,
        num_bytes=(read + instruction.num_bytes) * rounds,
    )
