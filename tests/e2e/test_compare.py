"""The comparison of configurations, from the command line."""

import json
import re
import signal
import time

import pytest

pytestmark = pytest.mark.slow  # two runs and a report, before most of the tests

QUICKSTART = "configs/quickstart.py:smoke,vq"
OTHER = """
from configs import quickstart

def get_config(variant=""):
    config = quickstart.get_config(variant).copy_and_resolve_references()
    with config.unlocked():
        config.losses.update(l1=1.0, l2=0.0)
        {change}
    return config.lock()
"""


def _other(folder, change="pass"):
    """Path of a configuration that has another loss, and `change`."""
    path = folder / "absolute_error.py"
    path.write_text(OTHER.format(change=change))
    return f"{path}:smoke,vq"


def _flags(tmp_path, *more, change="pass"):
    return (
        "compare",
        f"--configs={QUICKSTART},{_other(tmp_path, change)}",
        f"--workdir={tmp_path / 'out'}",
        *more,
    )


STEPS = 200  # room to be interrupted in
SMALL = (f"--steps={STEPS}", "--config.eval.every=100", "--config.log_every=1")


@pytest.fixture(scope="module")
def compared(start, call, tmp_path_factory):
    """A comparison over two seeds, by a command that Ctrl-C stopped in its first run:
    folder, flags, and what was printed until then and by the same command again."""
    folder = tmp_path_factory.mktemp("compared")
    flags = _flags(folder, *SMALL, "--seeds=0,1")
    process = start(*flags)
    first = folder / "out" / "quickstart-smoke-vq-0" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None and not first.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stopped = "".join(process.communicate(timeout=120))
    assert process.returncode == 128 + signal.SIGINT, stopped
    assert not (folder / "out" / "report.md").exists()
    code, printed = call(*flags)
    assert code == 0, printed
    return folder / "out", flags, (stopped, printed)


def test_ctrl_c_saves_and_the_same_command_goes_on(compared):
    _, _, (stopped, printed) = compared
    assert "run 1 of 4" in stopped
    assert "the same command goes on from there" in stopped
    starts = list(map(int, re.findall(rf"(\d+) -> {STEPS}", printed)))
    assert starts[0] > 0
    assert starts[1:] == [0, 0, 0]


def test_the_report_has_the_numbers_of_the_runs(compared):
    folder, _, (_, printed) = compared
    assert "run 4 of 4" in printed
    results = json.loads((folder / "report.json").read_text())["runs"]
    report = (folder / "report.md").read_text()
    for one in results:
        name = f"{one['config']}-smoke-vq-{one['seed']}"
        lines = (folder / name / "metrics.jsonl").read_text().splitlines()
        last = json.loads(lines[-1])
        assert last["step"] == STEPS
        assert one["psnr"] == last["eval/test/psnr"]
        assert f"| {one['config']} | {one['seed']} | {one['psnr']:.2f} |" in report
    mean = (results[0]["psnr"] + results[1]["psnr"]) / 2
    assert f"| quickstart | {mean:.2f} ± " in report
    assert "| losses.l1 | 0.0 | 1.0 |" in report
    assert "| losses.l2 | 1.0 | 0.0 |" in report


def test_the_pictures_lie_beside_the_report_and_inside_the_page(compared):
    folder, _, _ = compared
    pictures = re.findall(r"!\[.*\]\((.+)\)", (folder / "report.md").read_text())
    assert pictures == ["curves.png", "pictures.png", "details.png"]
    for name in pictures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') == len(pictures)
    assert "http" not in page


def test_the_same_command_trains_nothing_and_writes_the_same(compared, call):
    folder, flags, _ = compared
    names = ("report.md", "report.html", "report.json")
    before = {name: (folder / name).read_bytes() for name in names}
    code, printed = call(*flags)
    assert code == 0, printed
    assert not re.search(r"run \d of", printed)
    assert {name: (folder / name).read_bytes() for name in names} == before


def test_another_number_of_steps_needs_another_folder(compared, call):
    _, flags, _ = compared
    code, printed = call(*flags, "--steps=6")
    assert code == 2
    assert f"is of a run of {STEPS} steps, not 6" in printed


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
        ("pass", ("--allow=model.quantiser",), "names no field"),
        ("pass", ("--steps=many",), "--steps: invalid int value: 'many'"),
        ("pass", ("--steps=0",), "config.num_steps=0 must be in"),
        ("pass", ("--seeds=a",), "--seeds: 'a' must be numbers"),
        ("pass", ("--config.seed=1",), "compare takes --seeds"),
        ("pass", ("--config=configs/quickstart.py",), "compare takes --configs"),
        ("pass", ("--config.no_such=1",), "no_such"),
        ("pass", ("--config.data.source=folder:/no/where",), "/no/where"),
        (
            "config.losses.update(l1=0.0, l2=1.0)",
            (),
            "quickstart and absolute_error have the same configuration",
        ),
    ],
)
def test_what_is_wrong_shows_before_any_training(call, tmp_path, change, more, message):
    code, printed = call(*_flags(tmp_path, *more, change=change))
    assert code == 2, printed
    assert message in printed
    assert not (tmp_path / "out").exists()


def test_a_second_configuration_is_checked_before_the_first_is_trained(call, tmp_path):
    change = "config.optim.learning_rate = -1.0"
    code, printed = call(*_flags(tmp_path, change=change))
    assert code == 2
    assert "config.optim.learning_rate=-1.0" in printed
    assert "run 1 of" not in printed
