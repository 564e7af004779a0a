"""`metrics.jsonl`, what a run has logged: one JSON object a line, with "step".

Names that start with "perf/" depend on the machine; all others are reproducible.
"""

import json
import statistics
from collections.abc import Mapping, Sequence

from absl import logging
from etils import epath

from vq_jax.workdirs.files import replace_text, writing

IMAGES_PER_SECOND = "perf/images_per_second"
INPUT_STALL = "perf/input_stall"  # share of the time, in [0, 1]


def path(workdir: epath.PathLike) -> epath.Path:
    """Where the metrics of a run are."""
    return epath.Path(workdir) / "metrics.jsonl"


def append(
    workdir: epath.PathLike, step: int, values: Mapping[str, float | int]
) -> None:
    """Adds the metrics of a step."""
    with writing(path(workdir)), path(workdir).open("a") as file:
        file.write(json.dumps({"step": step, **values}) + "\n")


def read(workdir: epath.PathLike) -> list[dict]:
    """What a run has logged, in order; nothing where it has not started.

    Damaged lines are left out, with a warning.
    """
    logged, num_damaged = _parse(path(workdir))
    if num_damaged:
        logging.warning("%s: left out %d damaged lines", path(workdir), num_damaged)
    return logged


def drop_after(workdir: epath.PathLike, step: int) -> None:
    """Keeps the metrics of steps up to `step`: a resumed run logs the others again.

    Damaged lines are dropped, too, with a warning; a copy keeps them.
    """
    file = path(workdir)
    logged, num_damaged = _parse(file)
    if num_damaged:
        copy = file.with_name(f"metrics_damaged_{step:07d}.jsonl")
        with writing(copy):
            file.copy(copy, overwrite=True)
        logging.warning(
            "%s: dropped %d damaged lines; %s is a copy with them",
            *(file, num_damaged, copy),
        )
    kept = [line for line in logged if line["step"] <= step]
    text = "".join(json.dumps(line) + "\n" for line in kept)
    if file.exists() and text.encode() != file.read_bytes():
        replace_text(file, text)


def _parse(file: epath.Path) -> tuple[list[dict], int]:
    """The whole lines of a file, and the number of damaged ones."""
    # A killed run may leave half a line behind the last whole one.
    lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
    logged = list(filter(None, map(_parse_line, lines)))
    return logged, len(lines) - len(logged)


def _parse_line(line: bytes) -> dict | None:
    try:
        logged = json.loads(line)
    except ValueError:  # no JSON, or no text at all
        return None
    known = isinstance(logged, dict) and isinstance(logged.get("step"), int)
    return logged if known else None


def evaluation(
    logged: Sequence[dict], split: str, step: int
) -> dict[str, float] | None:
    """Metrics of a split by name, as evaluated at `step`; None where they were not."""
    prefix = f"eval/{split}/"
    found = {
        name.removeprefix(prefix): value
        for line in logged
        if line["step"] == step
        for name, value in line.items()
        if name.startswith(prefix)
    }
    return found or None


def result(logged: Sequence[dict], split: str, step: int) -> dict:
    """The evaluation at `step`, and the median of `images_per_second` (None of none).

    Raises:
        ValueError: there is no such evaluation.
    """
    metrics = evaluation(logged, split, step)
    if metrics is None:
        raise ValueError(f"no evaluation of {split} at step {step}")
    rates = [line[IMAGES_PER_SECOND] for line in logged if line.get(IMAGES_PER_SECOND)]
    return {"images_per_second": statistics.median(rates) if rates else None, **metrics}
