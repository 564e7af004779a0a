import os
import re

import jax
import pytest

from vq_jax.cli import compiled_programs

X86 = """processor\t: 0
model name\t: A
cpu MHz\t: {mhz}
flags\t: {flags}

processor\t: 1
"""


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Where JAX has been told to keep programs; None by default, as users have it."""
    monkeypatch.setenv("VQ_JAX_CACHE", str(tmp_path / "cache"))
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield lambda: jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", before)


def test_programs_are_kept_in_a_folder_of_this_kind_of_machine(
    folder, tmp_path, capsys
):
    compiled_programs.keep()
    kind = compiled_programs.machine()
    assert folder() == str(tmp_path / "cache" / "compiled" / kind)
    assert os.path.isdir(folder())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("named", ["elsewhere", ""])
def test_a_folder_that_the_user_named_stays(folder, named, tmp_path):
    jax.config.update("jax_compilation_cache_dir", named)
    compiled_programs.keep()
    assert folder() == named
    assert not (tmp_path / "cache").exists()


def test_nothing_is_kept_where_the_user_does_not_want_it(folder, tmp_path):
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        compiled_programs.keep()
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
    assert folder() is None
    assert not (tmp_path / "cache").exists()


def _is_a_file(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("")


def _is_read_only(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)


def _is_of_another(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: -1)


def _has_no_home(tmp_path, monkeypatch):
    monkeypatch.setenv("VQ_JAX_CACHE", "~nobody_at_all/cache")


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        (_is_a_file, "File exists|Not a directory"),
        (_is_read_only, r"cannot be written to\."),
        (_is_of_another, r"belongs to another user\."),
        (_has_no_home, "is nobody's home"),
    ],
)
def test_a_folder_that_cannot_be_used_is_said_and_is_no_error(
    breaks, reason, folder, tmp_path, monkeypatch, capsys
):
    breaks(tmp_path, monkeypatch)
    compiled_programs.keep()
    assert folder() is None
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert re.search(f"^compiled programs are not kept: .*({reason})", printed)


def test_machines_of_other_instructions_have_other_names(monkeypatch, tmp_path):
    def name(flags, mhz=1000):
        path = tmp_path / "cpuinfo"
        path.write_text(X86.format(flags=flags, mhz=mhz))
        monkeypatch.setattr(compiled_programs, "CPU_INFO", path)
        return compiled_programs.machine()

    assert name("avx avx2") == name("avx2 avx", mhz=2000)
    assert name("avx avx2") != name("avx avx2 avx512f")
    monkeypatch.setattr(compiled_programs, "CPU_INFO", tmp_path / "none")
    assert re.fullmatch(r"\w+-[0-9a-f]{12}", compiled_programs.machine())
