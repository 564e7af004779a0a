"""Trains configurations alike, and reports how their results differ.

All have the same generator, data, batch size, seeds and steps. DIR/report.html is one
file to pass on, DIR/report.md the same beside its pictures: what differs, numbers on
held-out images, curves, pictures. The same command goes on where it was stopped.
"""

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from etils import epath

from vq_jax.cli import arguments, compiled_programs, exits
from vq_jax.cli.configuration import load_config
from vq_jax.config.renamed import current_path
from vq_jax.errors import InputError


class Candidate(NamedTuple):
    """A configuration to compare."""

    path: str  # of its file, with the variant
    name: str  # that the folders of its runs begin with
    label: str  # what the report calls it
    family: str  # see `reports.runs.Run`


def main(argv: Sequence[str]) -> None:
    """Trains what is missing, then writes the report."""
    parser = shared_parser("compare", __doc__)
    text = "two or more, as A.py,B.py:smoke,vq,C.py"
    parser.add_argument("--configs", type=split_configs, required=True, help=text)
    text = "fields that may differ all the same, as model.quantizer,data.flip"
    parser.add_argument("--allow", type=arguments.words, default=[], help=text)
    args, overrides = parser.parse_known_args(argv[1:])
    with exits.clear_errors():
        compiled_programs.keep()
        paths = args.configs
        named = labels(paths)
        candidates = list(map(Candidate, paths, names(paths), named, named))
        allowed = [current_path(name) for name in args.allow]
        signal = compare(argv, args, overrides, candidates, allowed)
    exits.leave(signal)


def shared_parser(command: str, text: str) -> arguments.Parser:
    """The flags of every comparison."""
    parser = arguments.Parser(command, text, arguments.OVERRIDES)
    arguments.add_workdir(parser, "folder of report and runs")
    parser.add_argument("--steps", type=int, help="config.num_steps of all runs")
    text = "as 0,1,2, each for a run of every configuration; default: 0"
    parser.add_argument("--seeds", type=arguments.numbers, default="0", help=text)
    return parser


def compare(
    argv: Sequence[str],
    args,
    overrides: Sequence[str],
    candidates: Sequence[Candidate],
    allowed: Sequence[str],
) -> int:
    """Trains what is missing, then writes the report, which quotes `argv`.

    `args` has the flags of `shared_parser` at least; `allowed` goes to `check_fair`.
    Returns 0, or the number of the signal that stopped a run.
    """
    from vq_jax.reports import fairness, figures, report, runs

    figures.check_installed()
    planned = plan(args, overrides, candidates)
    configs = {run.label: run.config for run in planned[: len(candidates)]}
    differences = fairness.check_fair(configs, allowed)
    runs.check_all(planned)
    console = exits.console()
    signal = runs.train_all(planned, console)
    if not signal:
        command = shlex.join(["vq-jax", *argv])
        compared = report.Comparison(command, planned, differences, allowed)
        for path in report.write(args.workdir, compared):
            console.print(f"wrote {path}", soft_wrap=True)
    return signal


def plan(args, overrides: Sequence[str], candidates: Sequence[Candidate]) -> list:
    """A `Run` of every candidate with every seed.

    Seed by seed, so that a command that is stopped leaves whole comparisons.
    """
    from vq_jax.reports.runs import Run

    for word in overrides:
        if re.match(r"--config(=|$|\.seed)", word):
            raise InputError(f"{word}: a comparison takes --configs and --seeds.")
    if args.steps is not None:
        overrides = [*overrides, f"--config.num_steps={args.steps}"]
    runs = []
    for seed in args.seeds:
        for path, name, label, family in candidates:
            config = load_config(path, [*overrides, f"--config.seed={seed}"])
            workdir = epath.Path(args.workdir) / f"{name}-{seed}"
            runs.append(Run(label, family, seed, config, workdir))
    return runs


def split_configs(text: str) -> list[str]:
    """The paths of `--configs`; a comma within a variant starts no new one."""
    return list(map(arguments.path, re.split(r",(?=[^,]*\.py)", text)))


def names(paths: Sequence[str]) -> list[str]:
    """A name for every path, of its file and its variant, as quickstart-smoke-vq.

    Raises:
        InputError: two have the same.
    """
    made = ["-".join(_words(path)) for path in paths]
    for i, name in enumerate(made):
        if name in made[:i]:
            raise InputError(
                f"--configs: {paths[made.index(name)]} and {paths[i]} are both called "
                f"{name}; rename a file, or take another variant."
            )
    return made


def labels(paths: Sequence[str]) -> list[str]:
    """The shortest names that tell the paths apart: of their files, if these do; else
    without what all variants share."""
    words = [_words(path) for path in paths]
    shared = set.intersection(*(set(variant) for _, *variant in words))
    stems = [stem for stem, *_ in words]
    short = [
        "-".join([stem, *(word for word in variant if word not in shared)])
        for stem, *variant in words
    ]
    for made in (stems, short):
        if len(set(made)) == len(made):
            return made
    return names(paths)


def _words(path: str) -> list[str]:
    """The stem of the file, and the words of the variant."""
    file, _, variant = path.partition(":")
    return [epath.Path(file).stem, *filter(None, variant.split(","))]
