"""Comparisons, from the command line: of configurations, and the preset of families."""

import json
import re
import shutil
import signal
import statistics
import time

import pytest

FAMILIES = "--config=configs/compare_quantizers.py"
STEPS = 60  # room to be interrupted in: the first evaluation compiles
SMALL = (
    f"--steps={STEPS}",
    "--config.log_every=1",
    "--config.batch_size=8",
    "--config.data.image_size=32",
    "--config.eval.every=30",
    "--config.eval.batch_size=8",
    "--config.eval.max_images=8",
    "--config.model.encoder.num_res_blocks=0",
    "--config.model.decoder.num_res_blocks=0",
)
OTHER = """
from configs import quickstart

def get_config(variant=""):
    config = quickstart.get_config(variant).copy_and_resolve_references()
    with config.unlocked():
        config.losses.update(l1=1.0, l2=0.0)
        {change}
    return config.lock()
"""


@pytest.fixture(scope="module")
def compared(start, call, tmp_path_factory):
    """A comparison of two sizes, by a command that Ctrl-C stopped in its first run:
    folder, flags, and what was printed until then and by the same command again."""
    folder = tmp_path_factory.mktemp("compared")
    flags = ("compare-quantizers", FAMILIES, "--families=fsq", "--bits=4,3", *SMALL)
    flags = (*flags, f"--workdir={folder}")
    process = start(*flags)
    first = folder / "fsq-3-0" / "metrics.jsonl"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None and not first.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stopped = "".join(process.communicate(timeout=300))
    assert process.returncode == 128 + signal.SIGINT, stopped
    assert not (folder / "report.md").exists()
    code, printed = call(*flags)
    assert code == 0, printed
    return folder, flags, (stopped, printed)


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_goes_on(compared):
    _, _, (stopped, printed) = compared
    assert "run 1 of 2" in stopped
    assert "the same command goes on from there" in stopped
    assert "run 2 of 2" in printed
    starts = list(map(int, re.findall(rf"(\d+) -> {STEPS}", printed)))
    assert starts[0] > 0
    assert starts[1:] == [0]


@pytest.mark.slow
def test_the_report_has_the_numbers_of_the_runs(compared):
    folder, _, _ = compared
    results = json.loads((folder / "report.json").read_text())["runs"]
    report = (folder / "report.md").read_text()
    assert [one["config"] for one in results] == ["fsq-3", "fsq-4"]
    assert "| config | codes a position | PSNR, dB ↑ |" in report
    for one, codes in zip(results, ("2^3", "2^4"), strict=True):
        lines = (folder / f"{one['config']}-0" / "metrics.jsonl").read_text()
        last = json.loads(lines.splitlines()[-1])
        assert last["step"] == STEPS
        assert one["psnr"] == last["eval/test/psnr"]
        assert f"| {one['config']} | {codes} | {one['psnr']:.2f} |" in report
    assert "| model.quantizer.levels | (8,) | (4, 4) |" in report


@pytest.mark.slow
def test_the_pictures_lie_beside_the_report_and_inside_the_page(compared):
    folder, _, _ = compared
    report = (folder / "report.md").read_text()
    pictures = re.findall(r"!\[.*\]\((.+)\)", report)
    assert pictures == ["sizes.png", "curves.png", "pictures.png", "details.png"]
    for name in pictures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert r"![Rows of original \| fsq-4]" in report  # of a family, the most codes
    page = (folder / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') == len(pictures)
    assert "http" not in page


@pytest.mark.slow
def test_the_same_command_trains_nothing_and_writes_the_same(compared, call):
    folder, flags, _ = compared
    names = ("report.md", "report.html", "report.json")
    before = {name: (folder / name).read_bytes() for name in names}
    code, printed = call(*flags)
    assert code == 0, printed
    assert not re.search(r"run \d of", printed)
    assert {name: (folder / name).read_bytes() for name in names} == before


@pytest.mark.slow
def test_another_seed_trains_only_what_is_new(compared, call, tmp_path):
    folder, flags, _ = compared
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    code, printed = call(*flags[:-1], f"--workdir={tmp_path}", "--seeds=0,1")
    assert code == 0, printed
    assert re.findall(r"run \d of 4: .*fsq-(\d-\d)", printed) == ["3-1", "4-1"]
    results = json.loads((tmp_path / "report.json").read_text())["runs"]
    report = (tmp_path / "report.md").read_text()
    for config, codes in (("fsq-3", "2^3"), ("fsq-4", "2^4")):
        psnr = [one["psnr"] for one in results if one["config"] == config]
        assert len(psnr) == 2
        mean, deviation = statistics.mean(psnr), statistics.stdev(psnr)
        assert f"| {config} | {codes} | {mean:.2f} ± {deviation:.2f} |" in report


@pytest.mark.slow
def test_another_number_of_steps_needs_another_folder(compared, call):
    _, flags, _ = compared
    code, printed = call(*flags, "--steps=30")
    assert code == 2
    assert f"is of a run of {STEPS} steps, not 30" in printed


@pytest.mark.slow
def test_the_same_runs_under_other_names_have_the_same_results(
    compared, call, tmp_path
):
    folder, _, _ = compared
    paths = [f"configs/compare_quantizers.py:fsq-{bits}" for bits in (4, 3)]
    for bits in (3, 4):
        name = f"compare_quantizers-fsq-{bits}-0"
        shutil.copytree(folder / f"fsq-{bits}-0", tmp_path / name)
    code, printed = call(
        "compare",
        f"--configs={','.join(paths)}",
        f"--workdir={tmp_path}",
        "--allow=model.quantizer",
        *SMALL,
    )
    assert code == 0, printed
    assert "run 1 of" not in printed
    ours, theirs = (
        json.loads((path / "report.json").read_text())["runs"]
        for path in (tmp_path, folder)
    )
    for one, other in zip(ours, reversed(theirs), strict=True):
        label = f"compare_quantizers-{other['config']}"
        assert one == {**other, "config": label, "family": label}
    report = (tmp_path / "report.md").read_text()
    assert "but for what was allowed to: model.quantizer." in report
    assert "sizes.png" not in report


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (
            "config.batch_size = 4",
            (),
            "config.batch_size: quickstart 8, absolute",
        ),
        ("config.num_steps = 7", (), "(--steps=20, or --allow=num_steps"),
        ("config.data.flip = False", (), "(--config.data.flip=True, or --allow=data"),
        ("config.data.resize = 'shorter_side'", ("--allow=data",), "data.resize"),
        ("config.model.code_dim = 4", (), "config.model.code_dim: quickstart 8"),
        ("config.losses.nll = 1.0", (), "nll"),
        # Of the second configuration, before the first is trained.
        ("config.optim.learning_rate = -1.0", (), "config.optim.learning_rate=-1.0"),
        ("pass", ("--allow=model.quantiser",), "names no field"),
        ("pass", ("--steps=many",), "--steps: invalid int value: 'many'"),
        ("pass", ("--steps=0",), "config.num_steps=0 must be in"),
        ("pass", ("--seeds=a",), "--seeds: 'a' must be numbers"),
        ("pass", ("--config.seed=1",), "--config.seed=1: a comparison takes"),
        (
            "pass",
            ("--config=configs/quickstart.py",),
            "quickstart.py: a comparison takes --configs",
        ),
        ("pass", ("--config.no_such=1",), "no_such"),
        ("pass", ("--config.data.source=folder:/no/where",), "/no/where"),
        (
            "config.losses.update(quickstart.get_config().losses)",
            (),
            "quickstart and absolute_error have the same configuration",
        ),
    ],
)
def test_what_is_wrong_shows_before_any_training(call, tmp_path, change, more, message):
    other = tmp_path / "absolute_error.py"
    other.write_text(OTHER.format(change=change))
    configs = f"--configs=configs/quickstart.py:smoke,vq,{other}:smoke,vq"
    code, printed = call("compare", configs, f"--workdir={tmp_path / 'out'}", *more)
    assert code == 2, printed
    assert message in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--families=vqq",), "family 'vqq' is unknown; choose from"),
        (("--families=fsq", "--bits=7"), "fsq has levels for"),
        (("--families=residual", "--bits=7"), "7 is odd"),
        (("--families=fsq",), "fsq-8 is one configuration; name two or more"),
        (("--bits=x",), "--bits: 'x' must be numbers"),
        (("--config.no_such=1",), "no_such"),
        (("--config.seed=1",), "--config.seed=1: a comparison takes"),
    ],
)
def test_what_is_wrong_with_families_shows_too(call, tmp_path, flags, message):
    workdir = f"--workdir={tmp_path / 'out'}"
    code, printed = call("compare-quantizers", f"{FAMILIES}:smoke", workdir, *flags)
    assert code == 2, printed
    assert message in printed
    assert not (tmp_path / "out").exists()
