"""What `vq-jax evaluate` writes, and where."""

import argparse
import types

import numpy as np
import pytest
from etils import epath

from configs import quickstart
from vq_jax.cli import evaluate, exits
from vq_jax.errors import InputError
from vq_jax.evaluation.base import Report
from vq_jax.workdirs import files


def _flags(**given):
    names = (
        "split",
        "data",
        "batch_size",
        "lpips",
        "features",
        "tokenizer",
        "on_error",
        "data_dir",
        "white_point",
    )
    return argparse.Namespace(**{**dict.fromkeys(names), **given})


@pytest.mark.parametrize("split", ["../x", "..", "/etc/x", "a/../../x", "..\\x"])
@pytest.mark.parametrize("data", [None, "folder:../x"])
def test_a_split_leads_nowhere_else(tmp_path, split, data):
    config = quickstart.get_config("smoke")
    name = evaluate._apply_flags(config, _flags(split=split, data=data))
    assert (tmp_path / f"{name}.json").resolve().parent == tmp_path
    assert config.data.eval_split == split


def test_slices_of_splits_keep_their_names():
    config = quickstart.get_config("smoke")
    name = evaluate._apply_flags(config, _flags(split="train[:10%]"))
    assert name == "train[:10%]"


def test_flags_replace_the_fields_that_errors_speak_of():
    config = quickstart.get_config("smoke")
    evaluate._apply_flags(config, _flags(on_error="skip", data_dir="/prepared"))
    assert (config.data.on_error, config.data.data_dir) == ("skip", "/prepared")


def test_names_with_brackets_are_printed_and_written(tmp_path, capsys):
    data = types.SimpleNamespace(source="folder:x[/y]", eval_split="all[/b]")
    picture = np.zeros((2, 2, 3), np.uint8)
    report = Report({"psnr": 20.0}, {"reconstructions": picture})
    evaluate._write(data, epath.Path(tmp_path) / "[i]", "x[-red]", 3, [report])
    assert "folder:x[/y], split all[/b], step 3" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "[i]").iterdir()} == {
        "x[-red].json",
        "x[-red].png",
    }


def test_results_go_elsewhere_where_the_run_cannot_be_written(call, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"--out=.* choose a folder of your own"):
        files.make_folder(tmp_path / "file" / "eval", "--out")
    code, printed = call("evaluate", f"--workdir={tmp_path}", "--on_error=leave")
    assert code == 2
    assert "choose from raise, skip" in printed.replace("'", "")


@pytest.mark.parametrize("field", ["batch_size", "lpips"])
def test_messages_name_its_flags(capsys, field):
    with pytest.raises(SystemExit), exits.clear_errors(evaluate.FLAGS):
        raise InputError(f"config.evaluations.mine.{field}=3; config.data.{field}")
    printed = capsys.readouterr().err
    assert printed == f"error: --{field}=3; config.data.{field}\n"
