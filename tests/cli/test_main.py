"""One table of commands, and one habit of reading flags."""

import importlib
import pathlib
import re
import subprocess
import sys

import pytest

from vq_jax.cli import main
from vq_jax.cli.main import COMMANDS

REQUIRED = {
    "train": ("--config", "--workdir"),
    "evaluate": ("--workdir",),
    "reconstruct": ("--workdir", "--images", "--out"),
    "restore": ("--workdir", "--images", "--out"),
    "sample": ("--workdir", "--out"),
    "compress": ("--workdir", "--images", "--out"),
    "decompress": ("--workdir", "--files", "--out"),
    "inpaint": ("--workdir", "--image", "--mask", "--out"),
    "detect": ("--workdir", "--images", "--out"),
    "augment": ("--workdir", "--out"),
    "vary": ("--workdir", "--images", "--out"),
    "interpolate": ("--workdir", "--from", "--to", "--out"),
    "tokenize": ("--workdir", "--out"),
    "plan": ("--config",),
    "compare": ("--workdir", "--configs"),
    "compare-quantizers": ("--workdir", "--config"),
    "lpips": ("--net", "--trunk", "--heads"),
    "restyle": ("--workdir", "--content", "--style", "--out"),
}
# What makes a start slow; `jax` brings most of it.
HEAVY = {"flax", "grain", "jax", "orbax", "skimage", "tensorflow_datasets"}
EVERY_HELP = f"""
import sys
from vq_jax.cli.main import COMMANDS, main

for name in ["--help", *COMMANDS]:
    try:
        main(["vq-jax", name, "--help"])
    except SystemExit as end:
        assert end.code == 0, name
loaded = {HEAVY!r} & set(sys.modules)
assert not loaded, loaded
"""


def test_help_of_every_command_is_fast_and_explains_its_flags():
    done = subprocess.run(
        [sys.executable, "-c", EVERY_HELP], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    overview, *pages = done.stdout.split("usage: vq-jax")[1:]
    for (name, (file, _)), page in zip(COMMANDS.items(), pages, strict=True):
        assert f"  {name} " in overview
        assert page.startswith(f" {name} [-h]")
        assert importlib.import_module(f"vq_jax.cli.{file}").__doc__ in page
        flags = re.findall(r"^  (-\S+)", page, re.MULTILINE)
        assert {*REQUIRED[name], "-h,"} <= set(flags)
        explained = re.findall(r"^  (-\S+).*(?:  |\n {20,})\w", page, re.MULTILINE)
        assert explained == flags


def test_every_file_with_a_main_is_a_command():
    folder = pathlib.Path(main.__file__).parent
    files = {
        path.stem for path in folder.glob("*.py") if "def main(" in path.read_text()
    }
    assert files - {"main"} == {file for file, _ in COMMANDS.values()}


def test_an_unknown_command_lists_those_that_there_are(call):
    code, printed = call("evaluat")
    assert code == 2
    assert printed.startswith("error: vq-jax has no command 'evaluat'.\nusage: ")
    assert "\n  evaluate " in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_flag_is_one_line(name, call):
    code, printed = call(name)
    assert code == 2
    assert printed == (
        "error: the following arguments are required: "
        f"{', '.join(REQUIRED[name])}; vq-jax {name} --help explains the flags.\n"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_an_abbreviation_is_no_flag(name, call):
    words = [f"{flag}=x" for flag in REQUIRED[name]]
    code, printed = call(name, f"{words[0][:-3]}=x", *words[1:])
    assert code == 2
    assert f"are required: {REQUIRED[name][0]};" in printed


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("evaluate", "--workdir=~/none"), "{home}/none does not exist"),
        (
            ("reconstruct", "--workdir={home}", "--images=x", "--out=~/none"),
            "{home} holds no checkpoint",
        ),
        (("sample", "--workdir=~/none", "--out=~/x"), "{home}/none does not exist"),
        (("tokenize", "--workdir=~/none", "--out=~/x"), "{home}/none does not exist"),
        (("train", "--workdir=~/x", "--config=~/none.py"), "{home}/none.py"),
        (("plan", "--platform=cpu", "--config=~/none.py"), "{home}/none.py"),
        (("compare", "--workdir=~/x", "--configs=~/a.py,~/a.py"), "{home}/a.py and"),
        (("compare-quantizers", "--workdir=~/x", "--config=~/a.py"), "{home}/a.py"),
        (
            ("lpips", "--net=vgg16", "--trunk=~/none", "--heads=x"),
            "{home}/none",
        ),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_paths_of_flags_begin_at_home(call, tmp_path, monkeypatch, words, found):
    monkeypatch.setenv("HOME", str(tmp_path))
    code, printed = call(*(word.format(home=tmp_path) for word in words))
    assert code == 2
    assert found.format(home=tmp_path) in printed
    assert not list(tmp_path.glob("[!.]*"))


@pytest.mark.parametrize("flag", ["--workdir", "--out", "--images"])
def test_an_unset_variable_is_no_path(call, flag):
    given = {"--workdir": "x", "--out": "x", "--images": "x", flag: ""}
    code, printed = call("reconstruct", *(f"{k}={v}" for k, v in given.items()))
    assert code == 2
    assert f"argument {flag}: it is empty; is a variable of it not set?" in printed
