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
