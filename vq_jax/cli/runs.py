"""The runs of a comparison: planned, checked together, trained one after the other."""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence

from etils import epath
from ml_collections import ConfigDict
from rich.console import Console

from vq_jax.cli import exits
from vq_jax.errors import InputError
from vq_jax.evaluation import comparison
from vq_jax.workdirs import files, metrics


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        origin: what it is in the comparison, as {"seed": 0}.
        config: its configuration, locked.
        workdir: its folder.
    """

    origin: dict
    config: ConfigDict
    workdir: epath.Path


def run_command(
    argv: Sequence[str],
    help_text: str,
    defaults: Mapping[str, str | None],
    usage: str,
    compare: Callable[[dict, list[str]], int],
) -> None:
    """Exits with the code of `compare(options, rest)`; see `split_options`.

    Prints `help_text` where that is asked for, and bad input as one line.
    """
    if {"-h", "--help"} & set(argv):
        exits.console().print(help_text, markup=False)
        sys.exit(0)
    with exits.clear_errors():
        comparison.check_figures()
        code = compare(*split_options(argv[1:], defaults, usage))
    sys.exit(code)


def split_options(
    argv: Sequence[str], defaults: Mapping[str, str | None], usage: str
) -> tuple[dict[str, str], list[str]]:
    """A command's own flags, and the rest for the configuration.

    `defaults` has the names; a flag whose default is None has to be given.

    Raises:
        InputError: a flag is missing.
    """
    options, rest = dict(defaults), []
    for word in argv:
        name, _, value = word.removeprefix("--").partition("=")
        if name in options and value:
            options[name] = value
        else:
            rest.append(word)
    for name, value in options.items():
        if value is None:
            raise InputError(f"--{name} is missing; usage: {usage}")
    return options, rest


def numbers(options: Mapping[str, str], name: str, example: str) -> list[int]:
    """The numbers of a flag, comma-separated.

    Raises:
        InputError: one of them is none.
    """
    words = options[name].split(",")
    if not all(word.isdigit() for word in words):
        raise InputError(f"--{name}={options[name]} must be numbers, as {example}.")
    return [int(word) for word in words]


def check_all(runs: Sequence[Run]) -> None:
    """Finds what is wrong with any of the runs, before hours of training.

    Raises:
        InputError: as `run.train` does for configuration, data and weights; or a folder
            has checkpoints of another experiment, of another `num_steps` too.
    """
    from vq_jax.data import pipeline
    from vq_jax.pretrained.lpips import load_nets
    from vq_jax.training import setup
    from vq_jax.workdirs import checkpoint

    described, nets = [], set()
    for run in runs:
        nets |= setup.prepare(run.config).nets
        if run.config.data not in described:
            pipeline.describe(run.config.data)
            described.append(run.config.data)
        if not finished(run):
            checkpoint.check_same_experiment(run.workdir, run.config)
    load_nets(nets)


def train_all(runs: Sequence[Run], console: Console) -> int:
    """Trains what is missing; returns 0, or the exit code of the signal that came."""
    from vq_jax.training import run as training_run

    for number, run in enumerate(runs, 1):
        if finished(run):
            continue
        console.print(f"run {number} of {len(runs)}: {run.workdir}", soft_wrap=True)
        signal = training_run.train(run.config, run.workdir, console)
        if signal:
            return exits.SIGNALLED + signal
    return 0


def finished(run: Run) -> bool:
    """Whether this very configuration has been evaluated at its last step."""
    if not files.same_config(run.workdir, run.config):
        return False
    split, step = run.config.data.eval_split, run.config.num_steps
    return metrics.evaluation(metrics.read(run.workdir), split, step) is not None


def result(run: Run) -> dict:
    """What a finished run is, and its metrics at the last step."""
    split, step = run.config.data.eval_split, run.config.num_steps
    return {**run.origin, **metrics.result(metrics.read(run.workdir), split, step)}
