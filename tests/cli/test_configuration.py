import re
import sys

import pytest

from vq_jax.cli.configuration import load_config
from vq_jax.errors import InputError

QUICKSTART = "configs/quickstart.py:smoke"


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def test_fields_are_replaced_with_and_without_an_equals_sign():
    overrides = [
        "--config.num_steps=7",
        "--config.data.crop",
        "center",
        "--config.seed=1",
        "--config.seed",
        "2",
        "--config.freeze=('encoder', 'head')",
        "--config.data.flip=False",
    ]
    config = load_config(QUICKSTART, overrides)
    assert (config.num_steps, config.data.crop, config.seed) == (7, "center", 2)
    assert (config.freeze, config.data.flip) == (("encoder", "head"), False)
    assert config.data.image_size == 32  # of the variant
    assert config.is_locked


@pytest.mark.parametrize(
    ("path", "overrides", "message"),
    [
        ("configs/nothing.py", [], "--config=configs/nothing.py: no such file"),
        ("configs/quickstart.py:smok", [], "config variant 'smok' is unknown"),
        (
            QUICKSTART,
            ["--config.batchsize=3"],
            "config.batchsize is unknown; did you mean ",
        ),
        (QUICKSTART, ["--config.batch_size=many"], "invalid literal for int()"),
        (QUICKSTART, ["--workdri=runs"], "no flag --workdri; fields look"),
        (QUICKSTART, ["seven"], "unexpected arguments ['seven']"),
    ],
)
def test_what_is_wrong_is_named(path, overrides, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        load_config(path, overrides)
    assert "Traceback" not in str(error.value)


OWN = """
from configs.parts.defaults import defaults
from near import STEPS

def get_config(variant=""):
    config = defaults()
    config.num_steps = STEPS
    return config
"""


@pytest.fixture
def own(tmp_path):
    """`own(text)`: the path of a configuration of one's own, far from all others."""

    def write(text):
        (tmp_path / "near.py").write_text("STEPS = 77")
        path = tmp_path / "own.py"
        path.write_text(text)
        return str(path)

    return write


def test_a_file_imports_its_neighbours_and_configs_from_any_folder(
    own, tmp_path, monkeypatch, request
):
    monkeypatch.chdir(tmp_path / "..")
    before = list(sys.path)
    assert load_config(own(OWN), []).num_steps == 77
    experiment = f"{request.config.rootpath}/{QUICKSTART}"
    assert load_config(experiment, []).num_steps == 20
    monkeypatch.chdir(tmp_path)
    assert load_config("own.py", []).num_steps == 77
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_config("~/own.py", []).num_steps == 77
    assert sys.path == before


def test_neighbours_of_one_name_are_those_of_each_file(tmp_path):
    for name, steps in (("a", 11), ("b", 22)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "near.py").write_text(f"STEPS = {steps}")
        (tmp_path / name / "own.py").write_text(OWN)
    found = [load_config(f"{tmp_path}/{name}/own.py", []).num_steps for name in "ab"]
    assert found == [11, 22]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys\nsys.exit(0)", "own.py: 0 (SystemExit in "),
        ("def get_config(variant=''):\n    return 1 / 0", "(ZeroDivisionError in "),
        ("import nothing_like_it", "'nothing_like_it'; set PYTHONPATH to the folder"),
        ("def get_config(:", "invalid syntax (own.py, line 1) (SyntaxError)"),
        ("def get_config(): return {}", "get_config returns dict; it has to be an ml"),
        ("def get_config(): pass", "get_config returns NoneType; it has to be an ml"),
        ("config = {}", "own.py has no function get_config(variant)"),
        (
            "def get_config(variant): return {}",
            "missing 1 required positional argument",
        ),
        (
            OWN.replace("num_steps", "lock().num_stpes"),
            "own.py, line 7)",
        ),
    ],
)
def test_what_a_file_does_wrong_is_one_line_that_says_where(own, text, message):
    path = own(text)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        load_config(path, [])
    assert str(error.value).startswith(f"--config={path}")
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize("path", ["", "configs", "README.md"])
def test_what_is_no_python_file(path):
    with pytest.raises(InputError, match="must be a Python file"):
        load_config(path, [])


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("num_stpes", "config.num_stpes is unknown; did you mean config.num_steps?"),
        ("optim.learning_rat", "did you mean config.optim.learning_rate?"),
        ("optm.b1", "config.optm is unknown; did you mean config.optim?"),
        ("seed.x", "config.seed=0 has no fields of its own"),
    ],
)
def test_a_misspelt_field_is_named_with_its_section_and_the_near_one(field, message):
    with pytest.raises(InputError, match=re.escape(message)):
        load_config(QUICKSTART, [f"--config.{field}=1"])
