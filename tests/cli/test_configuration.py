import re

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
