"""The fusions of a program compiled for TPU, what they cost, and whose they are."""

import dataclasses
import re

CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
CALLS = re.compile(r"calls=%?([\w.\-]+)")
NAME = re.compile(r'op_name="([^"]*)"')
COMPUTATION = re.compile(r"^%?([\w.\-]+) \(.*\{$")
KERNEL = re.compile(r"^\(?\w+\[[1-9],[1-9],\d+,\d+\]")


@dataclasses.dataclass(frozen=True)
class Fusion:
    """A fusion, or an operation that the compiler left alone.

    Attributes:
        cycles: the compiler's estimate.
        kind: "forward", "input gradient" or "kernel gradient" of a convolution or
            matrix product; "sums" where it reduces; else "elementwise".
        result: dtypes and shapes of what it writes.
        layer: the path of the layer that its last operation belongs to.
    """

    cycles: int
    kind: str
    result: str
    layer: str

    def as_row(self) -> dict:
        """For JSON and tables; cycles in millions."""
        millions = round(self.cycles / 1e6, 3)
        return {**dataclasses.asdict(self), "cycles": millions}


def fusions(text: str) -> list[Fusion]:
    """All that have an estimate in `compiled.as_text()`, the dearest first."""
    bodies = _computations(text)
    found = [_fusion(line, bodies) for line in text.splitlines() if CYCLES.search(line)]
    return sorted(found, key=lambda fusion: -fusion.cycles)


def by_kind(found: list[Fusion]) -> dict[str, float]:
    """Million cycles of each kind, the dearest first."""
    sums = {}
    for fusion in found:
        sums[fusion.kind] = sums.get(fusion.kind, 0) + fusion.cycles
    return {
        kind: round(total / 1e6, 1)
        for kind, total in sorted(sums.items(), key=lambda item: -item[1])
    }


def _fusion(line: str, bodies: dict[str, str]) -> Fusion:
    result = re.sub(r"\{[^}]*\}", "", line.split(" = ", 1)[1])
    result = re.match(r"\(.*?\)|\S+", result)[0]
    name = NAME.search(line)
    layer = name[1] if name else ""
    called = CALLS.search(line)
    body = bodies.get(called[1], "") if called else line
    return Fusion(
        int(CYCLES.search(line)[1]), _kind(body, result, layer), result, layer
    )


def _kind(body: str, result: str, layer: str) -> str:
    if " convolution(" in body or " dot(" in body:
        if "transpose(" not in layer:
            return "forward"
        return "kernel gradient" if KERNEL.match(result) else "input gradient"
    return "sums" if " reduce(" in body else "elementwise"


def _computations(text: str) -> dict[str, str]:
    """Name -> text of each computation, which fusions call."""
    bodies, name = {}, None
    for line in text.splitlines():
        begins = COMPUTATION.match(line)
        if begins:
            name, lines = begins[1], []
        elif line.startswith("}") and name:
            bodies[name] = "\n".join(lines)
            name = None
        elif name:
            lines.append(line)
    return bodies
