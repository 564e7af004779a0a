from vq_jax.reports import tables
from vq_jax.reports.fairness import ABSENT

SIZE = tables.SIZE
RESULTS = [
    {"config": "a", "seed": 0, SIZE: 8.0, "psnr": 20.0, "ssim": 0.5, "usage": 0.25},
    {"config": "a", "seed": 1, SIZE: 8.0, "psnr": 22.0, "ssim": 0.7, "usage": 0.75},
    {"config": "b", "seed": 0, SIZE: 8.0, "psnr": 30.0, "lpips_vgg16": 0.125},
]


def test_the_table_has_means_and_deviations_and_the_metrics_that_there_are():
    table = tables.results_table(RESULTS)
    assert table.headings == [
        "config",
        "PSNR, dB ↑",
        "SSIM ↑",
        "LPIPS-VGG ↓",
        "usage ↑",
    ]
    assert table.rows == [
        ["a", "21.00 ± 1.41", "0.6000 ± 0.1414", "-", "50.0% ± 35.4%"],
        ["b", "30.00", "-", "0.1250", "-"],
    ]


def test_the_second_table_has_every_seed():
    table = tables.seeds_table(RESULTS)
    assert table.headings[:3] == ["config", "seed", "PSNR, dB ↑"]
    assert [row[:3] for row in table.rows] == [
        ["a", "0", "20.00"],
        ["a", "1", "22.00"],
        ["b", "0", "30.00"],
    ]


def test_sizes_have_a_column_where_they_differ():
    results = [
        {"config": "a", SIZE: 8.0, "psnr": 20.0},
        {"config": "b", SIZE: 9.9658, "psnr": 21.0},
        {"config": "none", SIZE: None, "psnr": 30.0},
    ]
    table = tables.results_table(results)
    assert table.headings == ["config", "codes a position", "PSNR, dB ↑"]
    assert [row[1] for row in table.rows] == ["2^8", "2^9.97", "-"]


def test_a_field_that_is_absent_is_a_dash():
    differences = {"losses.l1": {"a": 0.5, "b": ABSENT}}
    table = tables.differences_table(differences, ["a", "b"])
    assert table.rows == [["losses.l1", "0.5", "-"]]
