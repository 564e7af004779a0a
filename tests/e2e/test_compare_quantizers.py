"""The comparison of families, from the command line."""

import json
import re

import pytest

CONFIG = "--config=configs/compare_quantizers.py"
SMALL = (
    "--config.num_steps=2",
    "--config.optim.warmup_steps=0",
    "--config.batch_size=8",
    "--config.data.image_size=32",
    "--config.eval.batch_size=8",
    "--config.eval.max_images=8",
)


@pytest.mark.slow
def test_families_are_compared_and_a_second_call_trains_nothing(call, tmp_path):
    families = ("--families=fsq,none", "--bits=4,3")
    flags = ("compare-quantizers", CONFIG, f"--workdir={tmp_path}", *families, *SMALL)
    code, printed = call(*flags)
    assert code == 0, printed
    assert "run 3 of 3" in printed
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        "fsq-3-0",
        "none-3-0",
        "fsq-4-0",
    }
    report = (tmp_path / "report.md").read_text()
    assert "| config | codes a position | PSNR, dB ↑ |" in report
    results = json.loads((tmp_path / "report.json").read_text())["runs"]
    psnr = {one["config"]: f"{one['psnr']:.2f}" for one in results}
    assert list(psnr) == ["fsq-3", "none", "fsq-4"]
    for label, codes in (("fsq-3", "2^3"), ("none", "-"), ("fsq-4", "2^4")):
        assert f"| {label} | {codes} | {psnr[label]} |" in report
    assert "| model.quantizer.levels | (8,) | - | (4, 4) |" in report
    pictures = re.findall(r"!\[.*\]\((.+)\)", report)
    assert pictures == ["sizes.png", "curves.png", "pictures.png", "details.png"]
    # Of the families, those with the most codes.
    assert "Rows of original | fsq-4 | none" in report.replace("\\", "")
    code, again = call(*flags)
    assert code == 0, again
    assert "run 1 of" not in again
    assert (tmp_path / "report.md").read_text() == report


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--families=vqq",), "family 'vqq' is unknown; choose from"),
        (("--families=fsq", "--bits=7"), "fsq has levels for"),
        (("--families=residual", "--bits=7"), "7 is odd"),
        (("--families=fsq",), "fsq-8 is one configuration; name two or more"),
        (("--bits=x",), "--bits: 'x' must be numbers"),
        (("--config.no_such=1",), "no_such"),
        (("--config.seed=1",), "compare-quantizers takes --seeds"),
    ],
)
def test_bad_flags_are_named_before_any_training(call, tmp_path, flags, message):
    workdir = f"--workdir={tmp_path}"
    code, printed = call("compare-quantizers", f"{CONFIG}:smoke", workdir, *flags)
    assert code == 2
    assert message in printed
    assert not list(tmp_path.iterdir())
