import errno
import json
import os

import pytest
from etils import epath

from configs import quickstart
from vq_jax.errors import InputError
from vq_jax.workdirs import checkpoint, files


def test_an_empty_name_is_not_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="--workdir= is empty"):
        files.make_workdir("")
    with pytest.raises(InputError, match="--workdir= is empty"):
        checkpoint.load_config("")
    assert files.make_workdir(".") == files.named(".")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["run[1]", "run?", "a*/run", "a\\b", os.fsdecode(b"\xff")]
)
def test_a_name_that_orbax_cannot_read_below_is_refused(name, tmp_path):
    with pytest.raises(InputError, match="Orbax can't read checkpoints below"):
        files.make_workdir(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "ä", "a#b%20", "{a}", "a]", "-a", "'a'", "$a"])
def test_any_other_name_is_a_name(name, tmp_path):
    assert files.make_workdir(tmp_path / name).is_dir()


@pytest.mark.parametrize("below", ["checkpoints", "checkpoints/20"])
def test_the_folder_of_the_checkpoints_leads_to_the_workdir(below, tmp_path):
    (tmp_path / below).mkdir(parents=True)
    files.write_json(tmp_path / "config.json", {})
    for use in (files.make_workdir, checkpoint.load_config):
        with pytest.raises(InputError, match=f"its workdir is {tmp_path}"):
            use(tmp_path / below)
    assert not (tmp_path / below / "checkpoints").exists()


def test_a_damaged_configuration_is_not_the_same(tmp_path):
    config = quickstart.get_config("smoke")
    files.write_config(tmp_path, config)
    assert files.same_config(tmp_path, config)
    for content in (b"", b"{", b"\xff"):
        (tmp_path / "config.json").write_bytes(content)
        assert not files.same_config(tmp_path, config)


def test_what_is_no_run_is_called_what_it_is(tmp_path):
    with pytest.raises(InputError, match="gone does not exist"):
        checkpoint.load_config(tmp_path / "gone")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is a file"):
        checkpoint.load_config(tmp_path / "file")
    (tmp_path / "b" / "checkpoints").mkdir(parents=True)
    (tmp_path / "a" / "checkpoints").mkdir(parents=True)
    with pytest.raises(InputError, match="as there are a, b"):
        checkpoint.load_config(tmp_path)
    with pytest.raises(InputError, match="holds no finished checkpoint"):
        checkpoint.load_config(tmp_path / "a")


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_is_named_and_nothing_half_is_left(tmp_path, monkeypatch):
    path = epath.Path(tmp_path) / "file.json"
    files.write_json(path, {"a": 1})

    def write_bytes(self, content):
        open(self, "w").close()
        raise FULL

    monkeypatch.setattr(type(path), "write_bytes", write_bytes)
    with pytest.raises(
        InputError, match=r"json can't be .* \(No space left on device\)"
    ):
        files.write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [tmp_path / "file.json"]


def test_what_is_not_about_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(ValueError, match="a defect") as error, files.writing(tmp_path):
        raise ValueError("a defect")
    assert not isinstance(error.value, InputError)
