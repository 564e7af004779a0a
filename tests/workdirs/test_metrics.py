import json
import logging

import pytest

from vq_jax.workdirs import metrics

RECORDS = [
    {"step": 1, "train/l1": 0.5, "perf/images_per_second": 10.0},
    {"step": 2, "train/l1": 0.25, "perf/images_per_second": 30.0},
    {"step": 2, "eval/test/psnr": 20.0, "eval/test/ssim": 0.5},
]


def test_a_result_is_the_evaluation_at_the_last_step_and_the_median_rate():
    assert metrics.result(RECORDS, "test", 2) == {
        "psnr": 20.0,
        "ssim": 0.5,
        "images_per_second": 20.0,
    }
    assert metrics.evaluation(RECORDS, "test", 1) is None
    with pytest.raises(ValueError, match="no evaluation of test at step 3"):
        metrics.result(RECORDS, "test", 3)


def test_half_a_line_at_the_end_is_no_record(tmp_path):
    assert metrics.read(tmp_path) == []
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2')
    assert metrics.read(tmp_path) == [{"step": 1}]


DAMAGED = {
    "half a line in the middle": b'{"step": 2, "train/lo{"step": 2, "train/loss": 1.0}',
    "an empty line": b"",
    "zeros, as after a power cut": b"\0" * 50,
    "no text": b"\xff\xfe\xfd",
    "no step": b'{"train/loss": 1.0}',
    "no object": b"2",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_line_costs_no_other_line(kind, tmp_path, caplog):
    first, last = RECORDS[0], {"step": 3, "train/l1": 0.125}
    lines = [json.dumps(first).encode(), DAMAGED[kind], json.dumps(last).encode()]
    content = b"\n".join([*lines, b""])
    metrics.path(tmp_path).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert metrics.read(tmp_path) == [first, last]
        assert "left out 1 damaged lines" in caplog.text
        metrics.drop_after(tmp_path, 3)
        copy = tmp_path / "metrics_damaged_0000003.jsonl"
        assert f"{copy} is a copy with them" in caplog.text
    assert copy.read_bytes() == content
    assert metrics.path(tmp_path).read_bytes() == b"\n".join([lines[0], lines[2], b""])


def test_what_is_whole_is_not_copied(tmp_path, caplog):
    for step, line in enumerate(RECORDS, 1):
        values = {name: line[name] for name in line if name != "step"}
        metrics.append(tmp_path, step, values)
    metrics.drop_after(tmp_path, 1)
    assert metrics.read(tmp_path) == RECORDS[:1]
    assert list(tmp_path.iterdir()) == [tmp_path / "metrics.jsonl"]
    assert not caplog.text
