"""What the user can mend is one line; what a defect raises keeps its traceback."""

import errno
import io
import os
import re
import sys

import pytest
from rich.table import Table

from vq_jax.cli import exits
from vq_jax.errors import InputError


def _printed(capsys, error, flags=None):
    with pytest.raises(SystemExit) as end, exits.clear_errors(flags):
        raise error
    assert end.value.code == exits.BAD_INPUT
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "way_on"),
    [
        (errno.ENOSPC, "make room there, or name another place"),
        (errno.EROFS, "check its permissions, or name another place"),
        (errno.EACCES, "check its permissions, or name another place"),
    ],
)
def test_disks_and_permissions_are_the_users(capsys, code, way_on):
    error = OSError(code, os.strerror(code), "runs/eval/test.json")
    wanted = f"error: runs/eval/test.json: {os.strerror(code)}; {way_on}.\n"
    assert _printed(capsys, error) == wanted
    assert _printed(capsys, OSError(code, os.strerror(code))).startswith(
        f"error: {os.strerror(code)}; "
    )


def test_a_missing_file_may_be_a_defect():
    with pytest.raises(FileNotFoundError), exits.clear_errors():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")


def test_messages_name_the_flag_that_stands_for_a_field(capsys):
    error = InputError("config.data.source: no folder [/x]; config.data.image_size")
    printed = _printed(capsys, error, {r"config\.data\.source": "--images"})
    assert printed == "error: --images: no folder [/x]; config.data.image_size\n"


def test_brackets_in_names_are_printed_as_they_are(capsys):
    table = Table(title="x[/y]")
    table.add_row("a[/b]")
    exits.console().print(table)
    exits.console().print("wrote c[/d] and [red]")
    printed = capsys.readouterr().out
    assert re.findall(r"[xac]\[/[ybd]\]", printed) == ["x[/y]", "a[/b]", "c[/d]"]
    assert "[red]" in printed


def test_names_that_are_no_text_are_printed(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8"))
    exits.console().print(f"wrote {os.fsdecode(b'caf' + bytes([0xE9]))}.png")
    sys.stdout.flush()
    assert written.getvalue() == b"wrote caf\\udce9.png\n"
