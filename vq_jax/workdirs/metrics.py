"""`metrics.jsonl`, what a run has logged: one JSON object a line, with "step".

Names that start with "perf/" depend on the machine; all others are reproducible.
"""

import json
import statistics
from collections.abc import Mapping, Sequence

from etils import epath

from vq_jax.workdirs.files import replace_text

IMAGES_PER_SECOND = "perf/images_per_second"


def path(workdir: epath.PathLike) -> epath.Path:
    """Where the metrics of a run are."""
    return epath.Path(workdir) / "metrics.jsonl"


def append(workdir: epath.PathLike, step: int, values: Mapping[str, float]) -> None:
    """Adds the metrics of a step."""
    with path(workdir).open("a") as file:
        file.write(json.dumps({"step": step, **values}) + "\n")


def read(workdir: epath.PathLike) -> list[dict]:
    """What a run has logged, in order; nothing where it has not started."""
    file = path(workdir)
    # A killed run may leave half a line behind the last whole one.
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]


def drop_after(workdir: epath.PathLike, step: int) -> None:
    """Keeps the metrics of steps up to `step`: a resumed run logs the others again."""
    file = path(workdir)
    if not file.exists():
        return
    kept = [line for line in read(workdir) if line["step"] <= step]
    text = "".join(json.dumps(line) + "\n" for line in kept)
    if text != file.read_text():
        replace_text(file, text)


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
