import os
import pty
import sys

import pytest

from vq_jax.cli import exits
from vq_jax.training.display import Display


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


def test_an_error_that_cannot_be_shown_keeps_its_code(closed_pipe, monkeypatch):
    monkeypatch.setattr(sys, "stderr", closed_pipe)
    with pytest.raises(SystemExit) as end:
        exits.fail("no such file")
    assert end.value.code == exits.BAD_INPUT
