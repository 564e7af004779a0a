"""What a step needs and costs on a chip: the numbers of a plan. Pure arithmetic."""

import dataclasses
from collections.abc import Mapping

from vq_jax.planning.chips import Chip
from vq_jax.planning.cost import Dear, Traffic

# An all-reduce sends what it sums, and sends the sum.
TWICE = ("all-reduce",)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A compiled step. Bytes and flops are those of one chip.

    Attributes:
        target: what it was compiled for.
        chip: what that consists of.
        num_chips: how many.
        batch_size: images of a step, over all chips.
        argument_bytes: state, batch and networks.
        temporary_bytes: all else that the step holds at the same time.
        peak_bytes: both, with new results and the program, or the compiler's own peak
            where that is larger.
        param_bytes: of what is trained, and so of its gradients.
        flops: of a step, rounds of loops counted.
        bytes_accessed: by the compiler's count, which takes loops as one round.
        cycles: of a step, by the compiler's model; None where it has none.
        collectives: by kind.
        unknown_loops: loops that are counted as one round.
        dearest: the instructions that cost most.
        compile_seconds: time that compiling took.
    """

    target: str
    chip: Chip
    num_chips: int
    batch_size: int
    argument_bytes: int
    temporary_bytes: int
    peak_bytes: int
    param_bytes: int
    flops: float
    bytes_accessed: float
    cycles: int | None
    collectives: Mapping[str, Traffic]
    unknown_loops: int
    dearest: tuple[Dear, ...]
    compile_seconds: float

    @property
    def step_seconds(self) -> float | None:
        """An estimate: the compiler's cycles at the chip's clock."""
        known = self.cycles is not None and self.chip.clock is not None
        return self.cycles / self.chip.clock if known else None

    @property
    def share_of_peak(self) -> float | None:
        """An estimate: flops in the step's time, of what the chip could do in it."""
        if self.step_seconds is None:
            return None
        return self.flops / (self.step_seconds * self.chip.flops_per_second)

    @property
    def images_per_second(self) -> float | None:
        """An estimate, over all chips."""
        return (
            None if self.step_seconds is None else self.batch_size / self.step_seconds
        )

    @property
    def collective_seconds(self) -> float | None:
        """An estimate: collectives at the full rate of all links, were none hidden.

        Of n chips, each sends and receives (n - 1) / n of what it has.
        """
        if self.chip.link_bytes_per_second is None:
            return None
        sent = sum(
            traffic.num_bytes * (2 if kind in TWICE else 1)
            for kind, traffic in self.collectives.items()
        )
        sent *= (self.num_chips - 1) / self.num_chips
        return sent / (self.chip.link_bytes_per_second / 2)  # a direction

    def to_dict(self) -> dict:
        """All numbers, for JSON; estimates are called so."""
        return {
            **dataclasses.asdict(self),
            "estimated": {
                "step_seconds": self.step_seconds,
                "share_of_peak": self.share_of_peak,
                "images_per_second": self.images_per_second,
                "collective_seconds": self.collective_seconds,
            },
        }
