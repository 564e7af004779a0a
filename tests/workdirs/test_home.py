"""Runs are written and found in the home folder that `~` stands for."""

from vq_jax.workdirs import checkpoint, files


def test_workdirs_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert files.make_workdir("~/run") == tmp_path / "run"
    # As `config.init_from` and `Tokenizer.load` look for it.
    assert checkpoint.directory("~/run") == tmp_path / "run" / "checkpoints"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
