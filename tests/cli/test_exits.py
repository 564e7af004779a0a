"""What the user can mend is one line; what a defect raises keeps its traceback."""

import errno
import io
import os
import pty
import re
import sys

import pytest
from rich.table import Table

from vq_jax.cli import exits
from vq_jax.errors import InputError
from vq_jax.training.display import Display


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


@pytest.fixture
def closed_pipe():
    """The end to write to, of a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:
        yield stream


def test_what_nobody_reads_ends_no_program(closed_pipe, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", closed_pipe)
    console = exits.console()
    for _ in range(2):
        console.print("step 1/2")
    closed_pipe.flush()
    told = capsys.readouterr().err
    assert told.count("standard output cannot be written to (Broken pipe)") == 1


def test_a_terminal_that_is_gone_takes_no_bar_down(monkeypatch):
    terminal, side = pty.openpty()
    with open(side, "w") as out, open(os.dup(side), "w") as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        console = exits.console()
        assert console.is_terminal
        display = Display(console, num_steps=2, shown=())
        display.start(0)
        os.close(terminal)
        display.message("step 1")
        display.close()


def test_a_standard_output_that_is_closed_ends_no_program(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    exits.console().print("step 1/2")


def test_an_error_that_cannot_be_shown_keeps_its_code(closed_pipe, monkeypatch):
    monkeypatch.setattr(sys, "stderr", closed_pipe)
    with pytest.raises(SystemExit) as end:
        exits.fail("no such file")
    assert end.value.code == exits.BAD_INPUT
