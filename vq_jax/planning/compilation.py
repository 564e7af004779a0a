"""The step of a configuration, compiled for chips, as a plan."""

import functools
import re
import time

import jax
from ml_collections import ConfigDict

from vq_jax.errors import InputError
from vq_jax.inference.load import SavedTokenizer
from vq_jax.planning import cost, hlo
from vq_jax.planning.chips import GIB
from vq_jax.planning.plan import Plan
from vq_jax.planning.targets import Target
from vq_jax.training.compiled import compile_step
from vq_jax.training.setup import Setup, prepare
from vq_jax.training.tasks.build import build_task

NUM_DEAREST = 20
USED = re.compile(r"Used ([\d.]+)([KMGT]?) of ([\d.]+)([KMGT]?) hbm")
PREFIXES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class TooLargeError(InputError):
    """A step that does not fit; `num_bytes` is what it needs, or infinity."""

    def __init__(self, message: str, num_bytes: int | float):
        super().__init__(message)
        self.num_bytes = num_bytes


def compile_plan(
    config: ConfigDict, target: Target, tokenizer: SavedTokenizer | None = None
) -> Plan:
    """Compiles the step on shapes alone; no data, weights or workdir are read.

    Args:
        config: of the run.
        target: the chips.
        tokenizer: in place of the one that `config.tokenizer` names.

    Raises:
        TooLargeError: it needs more memory than a chip has.
        InputError: the configuration does not fit itself, or the chips.
    """
    check_divides(config.batch_size, config, target)
    build = build_task
    if tokenizer is not None:
        build = functools.partial(build_task, tokenizer=tokenizer)
    setup = prepare(config, devices=target.devices, build=build)
    start = time.monotonic()
    try:
        compiled = compile_step(setup)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        used = USED.search(str(error))
        needed = float(used[1]) * PREFIXES[used[2]] if used else float("inf")
        there = float(used[3]) * PREFIXES[used[4]] if used else target.chip.hbm_bytes
        raise _too_large(config, target, needed, there) from error
    plan = _plan(setup, target, compiled, time.monotonic() - start)
    if plan.peak_bytes > target.chip.hbm_bytes:
        raise _too_large(config, target, plan.peak_bytes, target.chip.hbm_bytes)
    return plan


def batch_unit(config: ConfigDict, target: Target) -> int:
    """What a batch has to be a multiple of."""
    return len(target.devices) * max(1, config.optim.accumulation)


def check_divides(size: int, config: ConfigDict, target: Target) -> None:
    """Raises InputError, with the nearest that do, where a batch does not divide."""
    unit = batch_unit(config, target)
    if size % unit == 0:
        return
    below = size // unit * unit
    nearest = [str(fitting) for fitting in (below, below + unit) if fitting]
    parts = config.optim.accumulation
    times = f" x {parts} parts (config.optim.accumulation)" if parts > 1 else ""
    raise InputError(
        f"config.batch_size={size} does not divide over {len(target.devices)} chips"
        f"{times} of {target.name}; the nearest that does: "
        f"--config.batch_size={' or '.join(nearest)}."
    )


def _too_large(
    config: ConfigDict, target: Target, needed: int | float, there: float
) -> TooLargeError:
    amount = f"{needed / GIB:.2f}" if needed < float("inf") else "more"
    return TooLargeError(
        f"config.batch_size={config.batch_size}: the step needs {amount} GiB on each "
        f"of {len(target.devices)} x {target.chip.name}, which has {there / GIB:.2f}. "
        "Take a smaller batch, or more parts (config.optim.accumulation), split the "
        "state (config.mesh.fsdp), or make the model smaller.",
        needed,
    )


def _plan(setup: Setup, target: Target, compiled, seconds: float) -> Plan:
    program = hlo.parse(compiled.as_text())
    memory, counted = compiled.memory_analysis(), compiled.cost_analysis() or {}
    arguments, temporaries = memory.argument_size_in_bytes, memory.temp_size_in_bytes
    # Results that do not lie where arguments did, and on TPUs the program itself.
    others = memory.output_size_in_bytes - memory.alias_size_in_bytes
    others += memory.generated_code_size_in_bytes
    return Plan(
        target=target.name,
        chip=target.chip,
        num_chips=setup.mesh.size,
        batch_size=setup.task.config.batch_size,
        argument_bytes=arguments,
        temporary_bytes=temporaries,
        peak_bytes=max(arguments + temporaries + others, memory.peak_memory_in_bytes),
        param_bytes=_param_bytes(setup.abstract_state),
        flops=counted.get("flops", 0.0) + cost.flops_of_rounds(program),
        bytes_accessed=counted.get("bytes accessed", 0.0),
        cycles=cost.cycles(program),
        collectives=cost.collectives(program),
        unknown_loops=cost.unknown_loops(program),
        dearest=tuple(cost.dearest(program, NUM_DEAREST)),
        compile_seconds=seconds,
    )


def _param_bytes(abstract_state) -> int:
    """Bytes of all arrays in fields `params` of a state, not of their averages."""
    return sum(
        leaf.size * leaf.dtype.itemsize
        for path, leaf in jax.tree_util.tree_leaves_with_path(abstract_state)
        if any(
            isinstance(key, jax.tree_util.GetAttrKey) and key.name == "params"
            for key in path
        )
    )
