"""The arithmetic of a plan, and its words."""

import json

import pytest

from vq_jax.planning import report
from vq_jax.planning.chips import CHIPS, chip_of
from vq_jax.planning.cost import Dear, Traffic
from vq_jax.planning.plan import Plan
from vq_jax.planning.search import Largest

GIB = 2**30


def _plan(**fields):
    given = {
        "target": "v5e:2x2",
        "chip": CHIPS["v5e"],
        "num_chips": 4,
        "batch_size": 32,
        "argument_bytes": 1 * GIB,
        "temporary_bytes": 3 * GIB,
        "peak_bytes": 4 * GIB,
        "param_bytes": 200_000_000,
        "flops": 9.85e12,
        "bytes_accessed": 5e10,
        "cycles": 150_000_000,
        "collectives": {
            "all-reduce": Traffic(3, 200_000_008, 200_000_000, "backward Net"),
            "all-gather": Traffic(1, 4, 4, "other"),
        },
        "unknown_loops": 0,
        "dearest": (),
        "compile_seconds": 90.0,
    }
    return Plan(**{**given, **fields})


def test_time_is_cycles_by_clock_and_speed_is_images_by_time():
    plan = _plan()
    assert plan.step_seconds == pytest.approx(0.1)  # 150 M at 1.5 GHz
    assert plan.images_per_second == pytest.approx(320.0)
    assert plan.share_of_peak == pytest.approx(0.5)  # 9.85 of 19.7 TFLOP


def test_links_carry_a_sum_there_and_back():
    """At 200 GB/s a direction, three quarters of twice 200 MB take 1.5 ms."""
    assert _plan().collective_seconds == pytest.approx(1.5e-3, rel=1e-6)
    assert _plan(num_chips=1).collective_seconds == 0.0


def test_without_a_model_of_time_nothing_is_estimated():
    plan = _plan(cycles=None)
    found = plan.step_seconds, plan.images_per_second, plan.share_of_peak
    assert found == (None, None, None)
    assert "no estimate" in report.rows(plan)["step"]


def test_every_time_is_called_an_estimate():
    for title, text in report.rows(_plan()).items():
        for line in text.splitlines():
            timed = " ms" in line or "second" in line
            assert not timed or "estimated" in line, title
    for heading in report.sweep_table([]).headings:
        assert ("ms" in heading or "/s" in heading) <= heading.startswith("est. ")


def test_memory_is_given_against_that_of_the_chip():
    text = report.rows(_plan())["memory"]
    assert text == ("peak 4.00 of 16.00 GiB (25%): arguments 1.00, temporaries 3.00")


def test_collectives_stand_beside_the_parameters():
    first, second, third, _ = report.rows(_plan())["collectives"].splitlines()
    assert first == "all-reduce 200 MB in 3, the largest 200 MB (backward Net)"
    assert second.startswith("all-gather")
    assert third == "trained parameters: 200 MB"


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (Largest(40, 44), "40 images, 10 each; 44 does not fit"),
        (Largest(40, None), "at least 40 images, 10 each"),
        (Largest(0, 4), "none is known to fit; 4 does not"),
    ],
)
def test_the_largest_batch_says_what_is_known(largest, expected):
    assert report.largest_row(largest, _plan()) == expected


def test_a_sweep_has_a_row_for_what_failed():
    table = report.sweep_table([_plan(), ("v5e:2x2", 64, "too large")])
    assert [len(row) for row in table.rows] == [len(table.headings)] * 2
    fitting, failed = (dict(zip(table.headings, r, strict=True)) for r in table.rows)
    assert fitting["est. step ms"] == "100.0"
    assert fitting["est. images/s a chip"] == "80.0"
    assert fitting["of HBM"] == "25%"
    assert failed["batch"] == "64"
    assert failed["peak GiB"] == "too large"


@pytest.mark.parametrize(("cycles", "column"), [(None, "GFLOP"), (200, "share")])
def test_the_dearest_have_what_the_compiler_tells(cycles, column):
    dear = Dear("f.1", "Net/Conv_0", "forward", "conv", "f32[2]", 1, cycles, 10**9, 8)
    table = report.dearest_table([dear], cycles and 800)
    row = dict(zip(table.headings, table.rows[0], strict=True))
    assert row["layer"] == "Net/Conv_0"
    assert row["GFLOP"] == "1"
    assert row.get("share") == ("25.0%" if cycles else None)


def test_a_plan_is_json():
    found = json.loads(json.dumps(_plan().to_dict()))
    assert found["estimated"]["step_seconds"] == pytest.approx(0.1)
    assert found["collectives"]["all-reduce"]["num_bytes"] == 200_000_008


def test_the_clock_makes_the_peak():
    """The matrix units' multiply-adds in a cycle, at the clock, are the peak."""
    units = {
        "v4": 8 * 128**2,
        "v5e": 4 * 128**2,
        "v5p": 8 * 128**2,
        "v6e": 4 * 256**2,
    }
    for name, chip in CHIPS.items():
        peak = 2 * units[name] * chip.clock
        assert peak == pytest.approx(chip.flops_per_second, rel=5e-3), name


@pytest.mark.parametrize("name", CHIPS)
def test_a_topology_names_its_chip(name):
    assert chip_of(CHIPS[name].example) is CHIPS[name]
