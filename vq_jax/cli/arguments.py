"""How every command reads its flags."""

import argparse
from typing import NoReturn

from vq_jax.cli import exits

OVERRIDES = """--config.a.b=value replaces field b of section a of the configuration;
there may be any number of them. configs/ has the fields."""


class Parser(argparse.ArgumentParser):
    """The flags of one command; a wrong one ends in one clear line and exit code 2.

    Args:
        command: its name, as in `vq-jax COMMAND`.
        text: what the command does, printed by `--help` above the flags.
        after: printed below them.
    """

    def __init__(self, command: str, text: str, after: str = ""):
        super().__init__(
            prog=f"vq-jax {command}",
            description=text,
            epilog=after,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        exits.fail(f"{message}; {self.prog} --help explains the flags.")


def numbers(text: str) -> list[int]:
    """The numbers of "0,1,2", each once."""
    if not all(word.isdigit() for word in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} must be numbers, as 0,1,2")
    return list(dict.fromkeys(map(int, text.split(","))))


def words(text: str) -> list[str]:
    """The words of "vq,fsq", each once."""
    return list(dict.fromkeys(filter(None, text.split(","))))
