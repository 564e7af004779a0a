import numpy as np
import pytest

from vq_jax.evaluation import compare_report, compare_tables, curves, records, zoom
from vq_jax.evaluation.config_diff import ABSENT

RESULTS = [
    {"config": "a", "seed": 0, "psnr": 20.0, "ssim": 0.5, "usage": 0.25},
    {"config": "a", "seed": 1, "psnr": 22.0, "ssim": 0.7, "usage": 0.75},
    {"config": "b", "seed": 0, "psnr": 30.0, "ssim": 0.9, "lpips_vgg16": 0.125},
]
RECORDS = [
    {"step": 1, "train/l1": 0.5, "perf/images_per_second": 10.0},
    {"step": 2, "train/l1": 0.25, "perf/images_per_second": 30.0},
    {"step": 2, "eval/test/psnr": 20.0, "eval/test/ssim": 0.5},
]


def test_the_table_has_means_and_deviations_and_the_metrics_that_there_are():
    table = compare_tables.results_table(RESULTS)
    assert table.headings == [
        "config",
        "PSNR, dB ↑",
        "SSIM ↑",
        "LPIPS-VGG ↓",
        "usage ↑",
    ]
    assert table.rows == [
        ["a", "21.00 ± 1.41", "0.6000 ± 0.1414", "-", "50.0% ± 35.4%"],
        ["b", "30.00", "0.9000", "0.1250", "-"],
    ]


def test_the_second_table_has_every_seed():
    table = compare_tables.seeds_table(RESULTS)
    assert table.headings[:3] == ["config", "seed", "PSNR, dB ↑"]
    assert [row[:3] for row in table.rows] == [
        ["a", "0", "20.00"],
        ["a", "1", "22.00"],
        ["b", "0", "30.00"],
    ]


def test_a_field_that_is_absent_is_a_dash():
    differences = {"losses.l1": {"a": 0.5, "b": ABSENT}}
    table = compare_tables.differences_table(differences, ["a", "b"])
    assert table.rows == [["losses.l1", "0.5", "-"]]


def test_a_result_is_the_evaluation_at_the_last_step_and_the_median_rate():
    assert records.result(RECORDS, "test", 2) == {
        "psnr": 20.0,
        "ssim": 0.5,
        "images_per_second": 20.0,
    }
    assert records.evaluation(RECORDS, "test", 1) is None
    with pytest.raises(ValueError, match="no evaluation of test at step 3"):
        records.result(RECORDS, "test", 3)


def test_half_a_line_at_the_end_is_no_record(tmp_path):
    assert records.read(tmp_path) == []
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2')
    assert records.read(tmp_path) == [{"step": 1}]


def test_a_curve_has_the_steps_that_recorded_it():
    assert curves.curve(RECORDS, "train/l1") == ([1, 2], [0.5, 0.25])
    assert curves.curve(RECORDS, "eval/test/psnr") == ([2], [20.0])


def test_the_figure_has_panels_of_what_was_recorded(tmp_path):
    more = [{"step": 1, "train/logits_real": 0.5, "train/logits_fake": -0.5}]
    runs = {"a": [RECORDS, RECORDS], "b": [RECORDS + more]}
    path = curves.write_figure(tmp_path / "curves.png", runs, "test")
    assert path.read_bytes().startswith(b"\x89PNG")
    titles = [title for title, _, _ in curves.shown_panels(runs, "test")]
    assert titles == [
        "held-out PSNR, dB",
        "held-out SSIM",
        "train l1",
        "logits, real (line) and fake (dashes)",
    ]


@pytest.mark.parametrize(
    ("size", "channels", "side", "times"),
    [(32, 3, 16, 2), (28, 1, 14, 2), (64, 3, 32, 2), (256, 3, 64, 4)],
)
def test_rows_have_the_same_part_of_every_column(size, channels, side, times):
    generator = np.random.default_rng(0)
    shape = (2, size, size, channels)
    originals = np.full(shape, 128, np.uint8)
    originals[:, 2 * size // 3, size // 2] = 255
    recons = {n: generator.integers(0, 256, shape, np.uint8) for n in ("a", "b")}
    whole, zoomed = compare_report.picture_rows(originals, recons)
    factor = max(1, compare_report.PANEL // size)
    left = factor * size + zoom.GAP
    panel = whole[zoom.HEADER :, left:][: factor * size, : factor * size]
    expected = np.broadcast_to(recons["a"][0], (size, size, 3))
    np.testing.assert_array_equal(panel[::factor, ::factor], expected)
    top, corner_left = zoom.detail_corner(originals[0], side)
    step = factor * times
    panel = zoomed[zoom.HEADER :, step * side + zoom.GAP :]
    panel = panel[: step * side : step, : step * side : step]
    part = expected[top : top + side, corner_left : corner_left + side]
    np.testing.assert_array_equal(panel, part)
