"""A plan in words and tables. Pure."""

import math
from collections.abc import Sequence

from vq_jax.planning.chips import GIB
from vq_jax.planning.cost import Dear
from vq_jax.planning.plan import Plan
from vq_jax.planning.search import Largest
from vq_jax.reports.document import Table

UNKNOWN = "-"


def rows(plan: Plan) -> dict[str, str]:
    """Title -> text, of one plan."""
    return {
        "chips": f"{plan.num_chips} x {plan.chip.name} ({plan.target})",
        "batch": f"{plan.batch_size:,} images, {_each(plan.batch_size, plan)} each",
        "memory": _memory(plan),
        "work": f"{_flops(plan.flops)} a chip, {_bytes(plan.bytes_accessed)} to and "
        "from its memory (compiler's count)",
        **_estimates(plan),
        "collectives": _collectives(plan),
        "compiled": f"in {plan.compile_seconds:.0f} s{_loops(plan)}",
    }


def largest_row(largest: Largest, plan: Plan) -> str:
    """The largest batch, and how sure that is."""
    if not largest.batch:
        return f"none is known to fit; {largest.too_large:,} does not"
    text = f"{largest.batch:,} images, {_each(largest.batch, plan)} each"
    if largest.too_large is None:
        return f"at least {text}"
    return f"{text}; {largest.too_large:,} does not fit"


def dearest_table(dear: Sequence[Dear], cycles: int | None) -> Table:
    """The most expensive instructions: estimated cycles, or flops and bytes."""
    columns = {
        "layer": lambda one: one.layer or UNKNOWN,
        "pass": lambda one: one.direction,
        "operation": lambda one: one.operation,
        "result": lambda one: _short(one.shape),
        "rounds": lambda one: str(one.rounds),
        "GFLOP": lambda one: f"{one.flops / 1e9:.3g}",
        "MB": lambda one: f"{one.num_bytes / 1e6:.3g}",
    }
    if cycles is not None:
        columns["M cycles, estimated"] = lambda one: f"{(one.cycles or 0) / 1e6:.3f}"
        columns["share"] = lambda one: f"{(one.cycles or 0) / cycles:.1%}"
    return Table(
        list(columns), [[text(one) for text in columns.values()] for one in dear]
    )


def sweep_table(plans: Sequence[Plan | tuple[str, int, str]]) -> Table:
    """A row a plan; of those that failed, the topology, the batch, and why."""
    headings = [
        *("topology", "chips", "batch", "a chip", "peak GiB", "of HBM", "TFLOP a chip"),
        *("est. M cycles", "est. step ms", "est. share of peak", "all-reduce MB"),
        *("other collectives MB", "est. links ms", "est. images/s a chip"),
        "est. images/s",
    ]
    table = []
    for plan in plans:
        if isinstance(plan, Plan):
            table.append(_sweep_row(plan))
        else:
            topology, batch, why = plan
            row = [topology, UNKNOWN, f"{batch:,}", UNKNOWN, why]
            table.append([*row, *[UNKNOWN] * (len(headings) - len(row))])
    return Table(headings, table)


def _sweep_row(plan: Plan) -> list[str]:
    reduced = plan.collectives.get("all-reduce")
    everything = sum(traffic.num_bytes for traffic in plan.collectives.values())
    reduced = reduced.num_bytes if reduced else 0
    speed = plan.images_per_second
    return [
        plan.target,
        str(plan.num_chips),
        f"{plan.batch_size:,}",
        _each(plan.batch_size, plan),
        f"{plan.peak_bytes / GIB:.2f}",
        f"{plan.peak_bytes / plan.chip.hbm_bytes:.0%}",
        f"{plan.flops / 1e12:.3f}",
        _number(plan.cycles, 1e-6, ".1f"),
        _number(plan.step_seconds, 1e3, ".1f"),
        _number(plan.share_of_peak, 1, ".1%"),
        f"{reduced / 1e6:.1f}",
        f"{(everything - reduced) / 1e6:.1f}",
        _number(plan.collective_seconds, 1e3, ".1f"),
        _number(None if speed is None else speed / plan.num_chips, 1, ",.1f"),
        _number(speed, 1, ",.0f"),
    ]


def _memory(plan: Plan) -> str:
    there = plan.chip.hbm_bytes
    share = f" of {there / GIB:.2f}" if math.isfinite(there) else ""
    percent = f" ({plan.peak_bytes / there:.0%})" if math.isfinite(there) else ""
    return (
        f"peak {plan.peak_bytes / GIB:.2f}{share} GiB{percent}: arguments "
        f"{plan.argument_bytes / GIB:.2f}, temporaries {plan.temporary_bytes / GIB:.2f}"
    )


def _estimates(plan: Plan) -> dict[str, str]:
    if plan.step_seconds is None:
        return {"step": "no estimate: its compiler has no model of time"}
    speed = plan.images_per_second
    return {
        "step": f"{plan.step_seconds * 1e3:.1f} ms, estimated: {plan.cycles / 1e6:.1f} "
        f"M cycles at {plan.chip.clock / 1e9:.2f} GHz, {plan.share_of_peak:.1%} of the "
        f"chip's {plan.chip.flops_per_second / 1e12:.0f} TFLOP/s",
        "images": f"{speed / plan.num_chips:,.1f} a second a chip, {speed:,.0f} in "
        "all, estimated",
    }


def _collectives(plan: Plan) -> str:
    lines = [
        f"{kind} {_bytes(traffic.num_bytes)} in {traffic.count}, the largest "
        f"{_bytes(traffic.largest)} ({traffic.where})"
        for kind, traffic in plan.collectives.items()
    ] or ["none"]
    lines.append(f"trained parameters: {_bytes(plan.param_bytes)}")
    if plan.collectives and plan.collective_seconds is not None:
        lines.append(
            f"{plan.collective_seconds * 1e3:.3g} ms, estimated at the full rate of "
            "all links, were none hidden behind other work; not part of the step above"
        )
    return "\n".join(lines)


def _loops(plan: Plan) -> str:
    if not plan.unknown_loops:
        return ""
    return f"; {plan.unknown_loops} loops of unknown length count as one round"


def _each(batch: int, plan: Plan) -> str:
    return f"{batch / plan.num_chips:g}"


def _flops(flops: int | float) -> str:
    return f"{flops / 1e12:.2f} TFLOP" if flops >= 1e12 else f"{flops / 1e9:.3g} GFLOP"


def _bytes(num_bytes: int | float) -> str:
    return (
        f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.4g} MB"
    )


def _number(value: int | float | None, scale: int | float, form: str) -> str:
    return UNKNOWN if value is None else format(value * scale, form)


def _short(shape: str, most: int = 40) -> str:
    return shape if len(shape) <= most else f"{shape[: most - 1]}…"
