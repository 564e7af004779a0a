import argparse

import pytest

from vq_jax.cli import arguments


def test_numbers_and_words_come_once_each_in_their_order():
    assert arguments.numbers("2,0,2,1") == [2, 0, 1]
    assert arguments.words("vq,fsq,,vq") == ["vq", "fsq"]


@pytest.mark.parametrize("text", ["", "1,", "a", "-1", "1.5"])
def test_what_is_no_list_of_numbers_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be numbers, as 0,1,2"):
        arguments.numbers(text)
