"""Two frameworks in turns: which way their ratios go."""

import sys

import turns

# Says what a worker says: when it is ready, a time for each step, and its memory.
WORKER = """
import sys
print('{"start_s": 1.0}', flush=True)
for _ in sys.stdin:
    print('{"ms": %s}' % sys.argv[1], flush=True)
print('{"peak_mib": %s}' % sys.argv[2], flush=True)
"""


def _worker(ms: int, mib: int) -> list[str]:
    return [sys.executable, "-c", WORKER, str(ms), str(mib)]


def test_less_time_is_a_ratio_above_one_and_less_memory_one_below():
    ours, theirs = _worker(ms=20, mib=100), _worker(ms=30, mib=400)
    row = turns.compare({"ours": ours, "theirs": theirs}, num_steps=3)
    assert row["ratio"] == 1.5
    assert row["memory_ratio"] == 0.25
    assert row["ours"] == {
        "median_ms": 20.0,
        "iqr_ms": 0.0,
        "start_s": 1.0,
        "peak_mib": 100,
    }
