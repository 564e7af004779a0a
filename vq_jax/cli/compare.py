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

from vq_jax.cli import arguments, exits
from vq_jax.cli.configuration import load_config
from vq_jax.config.renamed import current_path
from vq_jax.errors import InputError


class Candidate(NamedTuple):
    """One of the configurations that are compared.

    Attributes:
        path: of its file, with the variant.
        name: that the folders of its runs begin with.
        label: what the report calls it.
        family: see `reports.runs.Run`.
    """

    path: str
    name: str
    label: str
    family: str


def parser() -> arguments.Parser:
    """The flags of `vq-jax compare`."""
    made = shared_parser("compare", __doc__)
    made.add_argument(
        "--configs",
        required=True,
        help="two or more, as A.py,B.py:vq; a comma within a variant starts no new one",
    )
    made.add_argument(
        "--allow",
        type=arguments.words,
        default=[],
        help="fields of data, generator and batch size that may differ all the same, "
        "as model.quantizer,data.flip; each stands for all below it",
    )
    return made


def shared_parser(command: str, text: str) -> arguments.Parser:
    """The flags of every comparison."""
    made = arguments.Parser(command, text, arguments.OVERRIDES)
    made.add_argument("--workdir", required=True, help="folder of report and runs")
    made.add_argument(
        "--steps",
        type=int,
        help="config.num_steps of all; default: their own, which have to agree",
    )
    made.add_argument(
        "--seeds",
        type=arguments.numbers,
        default="0",
        help="as 0,1,2; each is the seed of a run of every configuration; default: 0",
    )
    return made


def main(argv: Sequence[str]) -> None:
    """Trains what is missing, then writes the report."""
    args, overrides = parser().parse_known_args(argv[1:])
    with exits.clear_errors():
        for word in overrides:
            if re.match("--config(=|$)", word):
                raise InputError(f"{word}: compare takes --configs=A.py,B.py.")
        paths = split_configs(args.configs)
        allowed = [current_path(name) for name in args.allow]
        named = labels(paths)
        candidates = map(Candidate, paths, names(paths), named, named)
        signal = compare(argv, args, overrides, list(candidates), allowed)
    exits.leave(signal)


def compare(
    argv: Sequence[str],
    args,
    overrides: Sequence[str],
    candidates: Sequence[Candidate],
    allowed: Sequence[str],
) -> int:
    """Trains the candidates and writes the report; see `reports.comparison.compare`.

    Args:
        argv: the command, which the report quotes.
        args: its flags, those of `shared_parser` at least.
        overrides: its other words.
    """
    from vq_jax.reports import comparison

    return comparison.compare(
        plan(args, overrides, candidates),
        args.workdir,
        allowed=allowed,
        command=shlex.join(["vq-jax", *argv]),
        console=exits.console(),
    )


def plan(args, overrides: Sequence[str], candidates: Sequence[Candidate]) -> list:
    """A `Run` of every candidate with every seed.

    Seed by seed, so that a command that is stopped leaves whole comparisons.

    Raises:
        InputError: as `load_config`, or the overrides have a seed.
    """
    from vq_jax.reports.runs import Run

    for word in overrides:
        if word.startswith("--config.seed"):
            raise InputError(f"{word}: a comparison takes --seeds=0,1,2.")
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
    return re.split(r",(?=[^,]*\.py)", text)


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
