"""How every command reads its flags."""

import argparse
import contextlib
import os
from collections.abc import Iterator
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


# Of a run's configuration, in the programs that read data of the user's choice.
DATA_FLAGS = {
    r"config\.data\.(on_error|data_dir|white_point)": r"--\1",
    r"config\.data\.train_split and eval_split to two": "--split to one",
}


def add_workdir(parser: argparse.ArgumentParser, text: str) -> None:
    """Adds `--workdir`."""
    parser.add_argument("--workdir", type=path, required=True, help=text)


def add_distributed(parser: argparse.ArgumentParser) -> None:
    """Adds `--distributed`, which `joined` acts on."""
    text = "join the processes of a TPU pod or a cluster, before anything else"
    parser.add_argument("--distributed", action="store_true", help=text)


@contextlib.contextmanager
def joined(args: argparse.Namespace) -> Iterator[None]:
    """Runs the body as one process of a job, where `--distributed` is given."""
    if not args.distributed:
        yield
        return
    from vq_jax.cli import processes

    with exits.clear_errors():
        processes.join()
    with processes.ending_together():
        yield


def add_tokenizer(parser: argparse.ArgumentParser) -> None:
    """Adds `--tokenizer`, which stands for `config.tokenizer`."""
    text = "workdir of the tokenizer of a prior or a restorer, where it has moved"
    parser.add_argument("--tokenizer", type=path, help=text)


def add_data_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what `apply_data_flags` applies; DATA_FLAGS has the fields."""
    from vq_jax.data.records import ON_ERROR

    text = "raise, or skip: leave broken images out; default: the run's"
    parser.add_argument("--on_error", choices=ON_ERROR, help=text)
    text = "folder of prepared TFDS data sets; default: the run's"
    parser.add_argument("--data_dir", type=path, help=text)
    text = "value that is white in grey images of more than 8 bits; default: the run's"
    parser.add_argument("--white_point", type=float, help=text)


def apply_data_flags(data, args: argparse.Namespace) -> None:
    """Changes `config.data`, the argument `data`, by the flags that are given."""
    for name in ("on_error", "data_dir", "white_point"):
        if getattr(args, name) is not None:
            data[name] = getattr(args, name)


def path(text: str) -> str:
    """A path, with `~` for the home folder, which shells leave as it is after `=`."""
    expanded = os.path.expanduser(text)
    if not text:
        raise argparse.ArgumentTypeError("it is empty; is a variable of it not set?")
    if expanded.startswith("~"):
        raise argparse.ArgumentTypeError(f"{text!r} is nobody's home; ./~ is a folder")
    return expanded


def sequence(text: str) -> list[int]:
    """The numbers of "32,32,64", all of them in their order."""
    if not all(word.isdigit() for word in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r} must be numbers, as 0,1,2")
    return list(map(int, text.split(",")))


def numbers(text: str) -> list[int]:
    """The numbers of "0,1,2", each once."""
    return list(dict.fromkeys(sequence(text)))


def words(text: str) -> list[str]:
    """The words of "vq,fsq", each once."""
    return list(dict.fromkeys(all_words(text)))


def all_words(text: str) -> list[str]:
    """The words of "3,3,5", as often as they are there."""
    return list(filter(None, text.split(",")))
