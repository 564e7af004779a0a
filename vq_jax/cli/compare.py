"""vq-jax compare --configs=A.py[:variant],B.py[:variant] --workdir=DIR [--steps=N]
    [--seeds=0,1,2] [--allow=model.quantizer] [--config.a.b=value]

Trains every configuration with the same generator, data, batch size, seeds and steps,
evaluates it on held-out images, and writes DIR/report.html, one file to pass on, and
DIR/report.md: what differs, numbers, curves, pictures. `--allow` names fields of data,
model and batch size that may differ all the same; `--config.a.b=value` is for all. The
same command goes on where it was stopped.
"""

import functools
import re
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata

from etils import epath

import vq_jax
from vq_jax.cli import exits, runs
from vq_jax.cli.train import parse
from vq_jax.errors import InputError
from vq_jax.evaluation import compare_report, config_diff, zoom
from vq_jax.workdirs import metrics
from vq_jax.workdirs.files import write_json

OPTIONS = {"configs": None, "workdir": None, "steps": "", "seeds": "0", "allow": ""}
USAGE = (
    "vq-jax compare --configs=configs/vqgan_photos.py:vqvae,configs/vqgan_photos.py "
    "--workdir=runs/compare --steps=1000"
)
NUM_IMAGES = 6
CANDIDATES = 8  # held-out images that each of them is chosen from


def main(argv: list[str] | None = None) -> None:
    """Trains what is missing, then writes the report."""
    argv = sys.argv if argv is None else argv
    command = shlex.join(["vq-jax", "compare", *argv[1:]])
    compare = functools.partial(_compare, command=command)
    runs.run_command(argv, __doc__, OPTIONS, USAGE, compare)


def split_configs(text: str) -> list[str]:
    """The paths of `--configs`; a comma within a variant starts no new one.

    Raises:
        InputError: fewer than two.
    """
    paths = re.split(r",(?=[^,]*\.py)", text)
    if len(paths) < 2:
        raise InputError(f"--configs={text} is one; name two or more, as A.py,B.py:vq.")
    return paths


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


def _compare(options: dict, rest: list[str], command: str) -> int:
    console = exits.console()
    plan = _plan(options, rest)
    first = plan[0].origin["seed"]
    shown = [run for run in plan if run.origin["seed"] == first]
    configs = {run.origin["config"]: run.config for run in shown}
    allowed = [name for name in options["allow"].split(",") if name]
    differences = config_diff.check_fair(configs, allowed)
    runs.check_all(plan)
    code = runs.train_all(plan, console)
    if code:
        return code
    by_label = {n: [run for run in plan if run.origin["config"] == n] for n in configs}
    originals, recons = _pictures(shown)
    compared = compare_report.Comparison(
        command=command,
        versions={"vq_jax": vq_jax.__version__}
        | {name: metadata.version(name) for name in ("jax", "flax")},
        configs=configs,
        differences=differences,
        allowed=allowed,
        results=[runs.result(run) for own in by_label.values() for run in own],
        records={
            label: [metrics.read(run.workdir) for run in own]
            for label, own in by_label.items()
        },
        originals=originals,
        recons=recons,
    )
    folder = epath.Path(options["workdir"])
    write_json(folder / "report.json", {"runs": compared.results})
    for path in compare_report.write(folder, compared):
        console.print(f"wrote {path}", soft_wrap=True)
    return 0


def _plan(options: dict, rest: list[str]) -> list[runs.Run]:
    """Every run, seed by seed, so that a stopped command leaves whole comparisons."""
    for word in rest:
        if re.match("--config(=|$)", word):
            raise InputError(f"{word}: compare takes --configs=A.py,B.py.")
        if word.startswith("--config.seed"):
            raise InputError(f"{word}: compare takes --seeds=0,1,2.")
    paths, plan = split_configs(options["configs"]), []
    if options["steps"]:
        if not options["steps"].isdigit():
            raise InputError(f"--steps={options['steps']} must be a number, as 1000.")
        rest = [*rest, f"--config.num_steps={options['steps']}"]
    for seed in dict.fromkeys(runs.numbers(options, "seeds", "0,1,2")):
        for path, name, label in zip(paths, names(paths), labels(paths), strict=True):
            workdir = epath.Path(options["workdir"]) / f"{name}-{seed}"
            flags = [f"--config={path}", f"--workdir={workdir}", *rest]
            config = parse(["train", *flags, f"--config.seed={seed}"]).config
            plan.append(runs.Run({"config": label, "seed": seed}, config, workdir))
    return plan


def _pictures(shown: Sequence[runs.Run]):
    """Held-out images with detail, and by label what the runs make of them."""
    from vq_jax.data import pipeline
    from vq_jax.inference.tokenizer import Tokenizer

    data = shown[0].config.data
    spread = pipeline.spread_images(data, data.eval_split, NUM_IMAGES * CANDIDATES)
    images = zoom.most_detailed(spread, NUM_IMAGES)
    load = functools.partial(Tokenizer.load, chunk_size=NUM_IMAGES)
    return images, {
        run.origin["config"]: load(run.workdir).reconstruct(images) for run in shown
    }
