"""The comparison of families, from the command line."""

import json

import pytest

CONFIG = "--config=configs/compare_quantizers.py:smoke"


@pytest.mark.slow
def test_families_are_compared_and_a_second_call_trains_nothing(run, tmp_path):
    flags = (
        "compare-quantizers",
        CONFIG,
        f"--workdir={tmp_path}",
        "--families=vq_ema,fsq",
        "--bits=6",
        "--config.num_steps=4",
        "--config.optim.warmup_steps=1",
    )
    code, printed = run(*flags)
    assert code == 0, printed
    assert "run 2 of 2" in printed
    runs = json.loads((tmp_path / "comparison.json").read_text())["runs"]
    assert [r["family"] for r in runs] == ["vq_ema", "fsq"]
    table = (tmp_path / "comparison.md").read_text()
    for one in runs:
        assert f"| `{one['family']}` | 2^6 | {one['psnr']:.2f} |" in table
    for name in ("comparison.png", "comparison_images.png"):
        assert (tmp_path / name).stat().st_size > 1_000
    code, again = run(*flags)
    assert code == 0, again
    assert "run 1 of" not in again
    assert (tmp_path / "comparison.md").read_text() == table


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--families=vqq",), "family 'vqq' is unknown; choose from"),
        (("--families=fsq", "--bits=7"), "fsq has levels for"),
        (("--families=residual", "--bits=7"), "7 is odd"),
        (("--bits=x",), "--bits=x must be numbers"),
        (("--config.no_such=1",), "no_such"),
    ],
)
def test_bad_flags_are_named_before_any_training(run, tmp_path, flags, message):
    code, printed = run("compare-quantizers", CONFIG, f"--workdir={tmp_path}", *flags)
    assert code == 2
    assert message in printed
    assert not list(tmp_path.iterdir())
