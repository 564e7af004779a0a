"""What a run has left behind, for comparisons of runs."""

import json
import pathlib


def logged(workdir: pathlib.Path) -> list[dict]:
    """All that a run has logged, in order, but for "perf/…": those are times."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if not k.startswith("perf/")}
        for line in lines
    ]
