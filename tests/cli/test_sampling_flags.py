"""The flags of sampling: which are added, and which are handed on."""

import pytest

from vq_jax.cli import arguments, sampling_flags


def _given(*flags, **options):
    parser = arguments.Parser("test", "")
    sampling_flags.add(parser, **options)
    parser.add_argument("--other", type=int, default=3)
    if options.get("without"):
        parser.add_argument("--num_steps", type=int, default=1_000)
    return sampling_flags.given(parser.parse_args(flags))


def test_only_what_is_given_is_handed_on_with_its_type():
    assert _given() == {}
    found = _given("--temperature=0", "--top_k=5", "--order=halton", "--other=4")
    assert found == {"temperature": 0.0, "top_k": 5, "order": "halton"}
    every = [f"--{name}=1" for name in sampling_flags.SETTINGS]
    assert [*_given(*every)] == [*sampling_flags.SETTINGS]


def test_a_flag_of_the_command_is_no_setting():
    assert _given("--num_steps=7", "--top_p=0.5", without=["num_steps"]) == {
        "top_p": 0.5
    }


def test_its_help_says_whose_they_are(capsys):
    with pytest.raises(SystemExit):
        _given("--help", of="of a prior: ")
    assert "of a prior: of MaskGIT; default: the" in capsys.readouterr().out
