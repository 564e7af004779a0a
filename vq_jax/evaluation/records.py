"""What a run recorded in `metrics.jsonl`, and its result in a comparison."""

import json
import statistics
from collections.abc import Sequence

from etils import epath

IMAGES_PER_SECOND = "perf/images_per_second"


def read(workdir: epath.PathLike) -> list[dict]:
    """The records of a run, in order; none where it has not started."""
    path = epath.Path(workdir) / "metrics.jsonl"
    # A killed run may leave half a line behind the last whole one.
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def evaluation(records: Sequence[dict], split: str, step: int) -> dict | None:
    """Metrics of `split` by name, as evaluated at `step`; None where they were not."""
    prefix = f"eval/{split}/"
    for record in records:
        if record["step"] == step and f"{prefix}psnr" in record:
            return {
                name.removeprefix(prefix): value
                for name, value in record.items()
                if name.startswith(prefix)
            }
    return None


def result(records: Sequence[dict], split: str, step: int) -> dict:
    """The evaluation at `step`, and the median of `images_per_second` (None of none).

    Raises:
        ValueError: there is no such evaluation.
    """
    metrics = evaluation(records, split, step)
    if metrics is None:
        raise ValueError(f"no evaluation of {split} at step {step}")
    rates = [r[IMAGES_PER_SECOND] for r in records if r.get(IMAGES_PER_SECOND)]
    return {"images_per_second": statistics.median(rates) if rates else None, **metrics}
