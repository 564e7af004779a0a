"""A plan from its configuration to what is printed and written."""

import copy
import dataclasses
import itertools
import json
from collections.abc import Sequence

from ml_collections import ConfigDict
from rich.console import Console

from vq_jax.errors import InputError
from vq_jax.inference.load import SavedTokenizer
from vq_jax.planning import report
from vq_jax.planning.compilation import (
    TooLargeError,
    batch_unit,
    check_divides,
    compile_plan,
)
from vq_jax.planning.plan import Plan
from vq_jax.planning.search import Bounds, Largest, Need, largest_batch
from vq_jax.planning.targets import Target, open_target
from vq_jax.reports.document import Heading, Paragraph, Table, markdown
from vq_jax.workdirs import files

MOST = 2**20  # images of a step, as `RunFields.batch_size` has it
NOTE = (
    "Cycles are the compiler's model, so step times and what follows from them are "
    "estimates (est.). Collectives are not in them: est. links ms is the time of these "
    "at the full rate of all links, were none hidden behind other work."
)


@dataclasses.dataclass(frozen=True)
class Planner:
    """Compiles the step of a configuration, and says what came of it.

    Attributes:
        config: of the run.
        tokenizer: of a prior whose tokenizer is not trained yet; else None.
        console: where to print.
    """

    config: ConfigDict
    tokenizer: SavedTokenizer | None
    console: Console

    def plan(
        self, platform: str, topology: str, per_chip: int | None, compilations: int
    ) -> None:
        """Prints one plan, and the largest batch that fits.

        Args:
            platform: one of `targets.PLATFORMS`.
            topology: a slice of TPUs; "" for other platforms.
            per_chip: images a chip, where not `config.batch_size` says it.
            compilations: at most so many more, to find the largest batch.

        Raises:
            InputError: see `compile_plan`; a step that is too large is one, too.
        """
        target = open_target(platform, topology)
        batch = self._batch_size(target, per_chip)
        try:
            plan = self._compile(target, batch)
        except TooLargeError as error:
            need = Need(error.num_bytes, fits=False)
            largest = self._search(target, {batch: need}, compilations)
            raise InputError(f"{error}{_advice(largest)}") from error
        for title, text in report.rows(plan).items():
            self._row(title, text)
        self._print_table(report.dearest_table(plan.dearest, plan.cycles))
        if compilations:
            known = {
                0: Need(plan.argument_bytes, fits=True),
                batch: Need(plan.peak_bytes, fits=True),
            }
            largest = self._search(target, known, compilations)
            self._row("largest batch", report.largest_row(largest, plan))

    def sweep(
        self,
        platform: str,
        topologies: Sequence[str],
        per_chip: Sequence[int],
        folder: str,
    ) -> None:
        """Plans all topologies with all batches; writes the table after each of them.

        Raises:
            InputError: a topology or batch that cannot be compiled for, or the folder.
        """
        path = files.make_folder(folder, "--sweep")
        targets = [open_target(platform, name) for name in topologies or [""]]
        pairs = itertools.product(targets, per_chip or [None])
        steps = [(target, self._batch_size(target, each)) for target, each in pairs]
        for target, batch in steps:
            check_divides(batch, self.config, target)
        found: list = []
        for target, batch in steps:
            try:
                found.append(self._compile(target, batch))
            except TooLargeError as error:
                found.append((target.name, batch, "too large"))
                self.console.print(str(error), soft_wrap=True)
            table = report.sweep_table(found)
            document = [Heading("Plan", 1), table, Paragraph(NOTE)]
            (path / "plan.md").write_text(markdown(document))
            (path / "plan.json").write_text(json.dumps(_json(found), indent=1))
        self.console.print(f"wrote {path / 'plan.md'} and plan.json", soft_wrap=True)

    def _batch_size(self, target: Target, per_chip: int | None) -> int:
        if per_chip is None:
            return self.config.batch_size
        return per_chip * len(target.devices)

    def _compile(self, target: Target, batch_size: int) -> Plan:
        self.console.print(
            f"compiling {batch_size:,} images for {target.name} …", soft_wrap=True
        )
        config = copy.deepcopy(self.config)
        config.batch_size = batch_size
        return compile_plan(config, target, self.tokenizer)

    def _search(self, target: Target, known, compilations: int) -> Largest:
        def need(batch_size: int) -> Need:
            try:
                return Need(self._compile(target, batch_size).peak_bytes, fits=True)
            except TooLargeError as error:
                return Need(error.num_bytes, fits=False)

        unit = batch_unit(self.config, target)
        bounds = Bounds(unit, MOST, target.chip.hbm_bytes)
        return largest_batch(need, known, bounds, compilations)

    def _row(self, title: str, text: str) -> None:
        first, *others = text.splitlines()
        self.console.print(f"{title:<14} {first}", soft_wrap=True)
        for line in others:
            self.console.print(f"{'':<14} {line}", soft_wrap=True)

    def _print_table(self, table: Table) -> None:
        lines = (table.headings, *table.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for row in lines:
            cells = map(str.ljust, row, widths)
            self.console.print("  ".join(cells).rstrip(), soft_wrap=True)


def _advice(largest: Largest) -> str:
    if not largest.batch:
        return ""
    return f" The largest batch known to fit: --config.batch_size={largest.batch}."


def _json(found: Sequence) -> list[dict]:
    return [
        plan.to_dict()
        if isinstance(plan, Plan)
        else dict(zip(("target", "batch_size", "error"), plan, strict=True))
        for plan in found
    ]
