"""Steady-state timings of compiled functions, and what they were taken on."""

import json
import pathlib
import platform
import subprocess
import time
from collections.abc import Callable, Mapping

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from vq_jax import compiler

ROOT = pathlib.Path(__file__).parents[1]
WARM_UP_CALLS = 3


def measure(
    functions: Mapping[str, Callable], *args, num_calls: int = 30
) -> dict[str, dict[str, float]]:
    """Times of each function on the same arguments, in ms; temporary memory in MiB.

    A function that went through `jax.jit` keeps the options that it got there.
    Compilation is timed apart. `temp_mib` is the compiler's count of memory beside
    arguments and outputs.
    """
    return sample(functions, *args, num_calls=num_calls)[0]


def sample(
    functions: Mapping[str, Callable],
    *args,
    num_calls: int,
    num_warm_up: int = WARM_UP_CALLS,
) -> tuple[dict[str, dict[str, float]], dict[str, list[float]]]:
    """What `measure` returns, and the times of all calls, in ms.

    Calls take turns, function by function, so that a change of the machine's load meets
    all of them, and times at the same place of two lists are of neighbouring calls.
    """
    compiled, records = {}, {}
    for name, function in functions.items():
        started = time.perf_counter()
        compiled[name] = _jitted(function).lower(*args).compile()
        records[name] = {"compile_ms": 1e3 * (time.perf_counter() - started)}
        memory = compiled[name].memory_analysis()
        if memory is not None:
            records[name]["temp_mib"] = memory.temp_size_in_bytes / 2**20
    times = {name: [] for name in functions}
    for call in range(num_warm_up + num_calls):
        for name, function in compiled.items():
            started = time.perf_counter()
            jax.block_until_ready(function(*args))
            if call >= num_warm_up:
                times[name].append(1e3 * (time.perf_counter() - started))
    for name, record in records.items():
        low, median, high = np.percentile(times[name], [25, 50, 75])
        record.update(median_ms=median, iqr_ms=high - low)
    rounded = {
        name: {key: round(float(value), 3) for key, value in record.items()}
        for name, record in records.items()
    }
    return rounded, times


def _jitted(function: Callable):
    """The function compiled as the project's are, unless it has its own way."""
    return function if hasattr(function, "lower") else compiler.jit(function)


def compare(functions: Mapping[str, Callable], *args, num_calls: int) -> dict:
    """`measure` of "ours" and "theirs", and the "ratio" of medians, theirs / ours."""
    both = measure(functions, *args, num_calls=num_calls)
    ratio = both["theirs"]["median_ms"] / both["ours"]["median_ms"]
    return {"ratio": round(ratio, 3), **both}


def print_comparison(
    rows: list[dict], origin: dict, columns: Mapping[str, Callable[[dict], str]]
) -> None:
    """A table of rows of `compare`: medians (interquartile ranges), ratio, memory.

    Args:
        columns: heading -> text of a row, for the columns that say what was measured.
    """
    table = Table(title=title(origin), title_justify="left")
    for heading in (*columns, "ours ms", "theirs ms", "ratio", "temp MiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        both = [row["ours"], row["theirs"]]
        table.add_row(
            *(text(row) for text in columns.values()),
            *(f"{r['median_ms']:.1f} ({r['iqr_ms']:.1f})" for r in both),
            f"{row['ratio']:.2f}",
            " / ".join(f"{r['temp_mib']:.0f}" for r in both),
        )
    Console(width=100).print(table)


def origin(device: str = "") -> dict[str, str]:
    """Where numbers come from: device, versions, commit.

    Args:
        device: what to call the device; "" is what JAX calls it.
    """
    return {
        "device": device or jax.devices()[0].device_kind,
        "backend": jax.default_backend(),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "commit": _commit(),
    }


def title(origin: dict[str, str]) -> str:
    """Of a table of numbers that come from there."""
    return f"{origin['device']}, jax {origin['jax']}, commit {origin['commit']}"


def write_json(path: str, content: dict) -> None:
    """Writes `content`, and makes the folder."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def _commit() -> str:
    """The checked-out commit; "unknown" outside of a git repository."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
