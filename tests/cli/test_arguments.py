import argparse

import pytest

from vq_jax.cli import arguments


def test_numbers_and_words_come_once_each_in_their_order():
    assert arguments.numbers("2,0,2,1") == [2, 0, 1]
    assert arguments.sequence("2,0,2,1") == [2, 0, 2, 1]
    assert arguments.words("vq,fsq,,vq") == ["vq", "fsq"]
    assert arguments.all_words("vq,fsq,,vq") == ["vq", "fsq", "vq"]


@pytest.mark.parametrize("text", ["", "1,", "a", "-1", "1.5"])
def test_what_is_no_list_of_numbers_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be numbers, as 0,1,2"):
        arguments.numbers(text)


def test_a_path_begins_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert arguments.path("~/runs") == "/home/me/runs"
    assert arguments.path("runs/~") == "runs/~"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is a variable of it not set"), ("~nobody-is-called-so/x", "nobody's home")],
)
def test_what_is_no_path_is_refused(text, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        arguments.path(text)
