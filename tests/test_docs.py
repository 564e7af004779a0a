"""The README's commands work, and links between documents lead somewhere."""

import pathlib
import re
import shlex

import pytest

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs").glob("*.md"),
]
BASH = re.compile(r"```bash\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
README = (ROOT / "README.md").read_text()


def _commands():
    text = "\n".join(BASH.findall(README)).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in text.splitlines() if line]


def _programs():
    """Commands of `vq-jax` and train.py, as arguments of `vq-jax`."""
    for words in _commands():
        if words[0] == "vq-jax":
            slow = pytest.mark.slow if words[1] == "compare" else ()
            yield pytest.param(words[1:], marks=slow)
        elif words[:2] == ["python", "train.py"]:
            yield pytest.param(["train", *words[2:]])


def test_every_command_is_known():
    known = ("make", "pip", "python", "vq-jax", "tensorboard")
    assert {words[0] for words in _commands()} <= set(known)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in _commands():
        if words[0] == "make":
            assert set(words[1:]) <= set(targets), words


@pytest.fixture(scope="module")
def prior(call, trained, tmp_path_factory):
    """The workdir of a finished smoke run of a prior over the codes of `trained`."""
    workdir = tmp_path_factory.mktemp("prior")
    code, printed = call(
        "train",
        "--config=configs/ar_photos.py:smoke",
        f"--config.tokenizer={trained}",
        f"--workdir={workdir}",
    )
    assert code == 0, printed
    return workdir


@pytest.mark.parametrize("words", list(_programs()), ids=" ".join)
def test_the_command_runs(words, call, trained, prior, tmp_path):
    # The smoke variant, in folders of the test's own; `trained` and `prior` for later
    # commands.
    smoke = []
    for word in words:
        word = re.sub(r"^(--config=configs/\w+\.py)$", r"\1:smoke", word)
        if word.startswith("--configs="):
            word = re.sub(r"(configs/\w+\.py):", r"\1:smoke,", word)
            word = re.sub(r"(configs/\w+\.py)(?!:)", r"\1:smoke", word)
        word = re.sub(r"^(--config.(?:init_from|tokenizer))=.*", rf"\1={trained}", word)
        word = re.sub(r"^--seeds=.*", "--seeds=0", word)
        word = re.sub(r"^--out=.*", f"--out={tmp_path / 'out'}", word)
        trains = words[0] in ("train", "compare")
        finished = prior if words[0] == "sample" else trained
        workdir = tmp_path / "run" if trains else finished
        smoke.append(re.sub(r"^--workdir=.*", f"--workdir={workdir}", word))
    code, printed = call(*smoke)
    assert code == 0, printed


def test_the_python_runs(trained, prior):
    names = {}
    for code in PYTHON.findall(README):
        code = code.replace("runs/quickstart", str(trained))
        exec(code.replace("runs/ar_photos", str(prior)), names)
    assert names["recons"].shape == names["images"].shape
    assert names["nats"].shape == names["samples"].shape[:1]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target
