"""vq-jax compare-quantizers --config=configs/compare_quantizers.py --workdir=DIR
    [--families=vq,fsq] [--bits=8] [--seeds=0] [--config.a.b=value]

Trains every family with the same encoder, decoder, data, bits and steps, and writes
DIR/comparison.md, .json, .png (figure) and _images.png. The same command goes on where
it was stopped. The config file takes a variant FAMILY-BITS, as fsq-8.
"""

import json
import statistics
import sys

from etils import epath

from vq_jax.cli import exits
from vq_jax.cli.train import parse
from vq_jax.errors import InputError
from vq_jax.evaluation import comparison, pictures
from vq_jax.evaluation.report import write_json

FAMILIES = "vq,vq_rotation,vq_cosine,vq_ema,cvq,simvq,ibq,gumbel,soft,fsq,lfq,bsq,"
FAMILIES += "product,residual,none"
NUM_IMAGES = 8


def main(argv: list[str] | None = None) -> None:
    """Trains what is missing, then writes table, figure and pictures."""
    argv = sys.argv if argv is None else argv
    if {"-h", "--help"} & set(argv):
        exits.console().print(__doc__, markup=False)
        sys.exit(0)
    with exits.clear_errors():
        comparison.check_figures()
        options, rest = _options(argv[1:])
        code = _compare(options, rest)
    sys.exit(code)


def _compare(options: dict, rest: list[str]) -> int:
    folder, console = epath.Path(options["workdir"]), exits.console()
    plan = _plan(options, rest)
    from vq_jax.training import run, setup

    for _, config, _ in plan:
        setup.prepare(config)  # everything that is wrong shows before hours of training
    results = []
    for number, (origin, config, workdir) in enumerate(plan, 1):
        if not _finished(workdir, config):
            console.print(f"run {number} of {len(plan)}: {workdir}", soft_wrap=True)
            signal = run.train(config, workdir, console)
            if signal:
                return exits.SIGNALLED + signal
        results.append({**origin, **_result(workdir, config)})
    write_json(folder / "comparison.json", {"runs": results})
    table = folder / "comparison.md"
    table.write_text(comparison.markdown(results))
    figure = comparison.write_figure(folder / "comparison.png", results)
    images = pictures.write_png(folder / "comparison_images.png", _pictures(plan))
    console.print(table.read_text(), markup=False, soft_wrap=True)
    for path in (table, figure, images):
        console.print(f"wrote {path}", soft_wrap=True)
    return 0


def _options(argv: list[str]) -> tuple[dict, list[str]]:
    """This command's own flags, and the rest for the configuration."""
    options = {"families": FAMILIES, "bits": "8", "seeds": "0"}
    rest = []
    for word in argv:
        name, _, value = word.removeprefix("--").partition("=")
        if name in (*options, "workdir", "config") and value:
            options[name] = value
        else:
            rest.append(word)
    for name in ("config", "workdir"):
        if name not in options:
            raise InputError(
                f"--{name} is missing; usage: vq-jax compare-quantizers "
                "--config=configs/compare_quantizers.py --workdir=runs/compare"
            )
    for name in ("bits", "seeds"):
        if not all(word.isdigit() for word in options[name].split(",")):
            raise InputError(f"--{name}={options[name]} must be numbers, as 6,8,10.")
    return options, rest


def _plan(options: dict, rest: list[str]) -> list[tuple[dict, object, epath.Path]]:
    """(what it is, its configuration, its folder) of every run, in order."""
    plan = []
    path, _, variant = options["config"].partition(":")
    for seed in options["seeds"].split(","):
        for bits in options["bits"].split(","):
            for family in options["families"].split(","):
                words = [*filter(None, [variant]), f"{family}-{bits}"]
                name = f"{'-'.join([*words, seed])}".replace(",", "-")
                workdir = epath.Path(options["workdir"]) / name
                flags = [
                    "train",
                    f"--config={path}:{','.join(words)}",
                    f"--config.seed={seed}",
                    f"--workdir={workdir}",
                    *rest,
                ]
                origin = {"family": family, "bits": int(bits), "seed": int(seed)}
                plan.append((origin, parse(flags).config, workdir))
    return plan


def _records(workdir: epath.Path) -> list[dict]:
    path = workdir / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def _finished(workdir: epath.Path, config) -> bool:
    """Whether this very configuration has been evaluated at its last step."""
    path = workdir / "config.json"
    wanted = json.loads(json.dumps(config.to_dict()))
    if not path.exists() or json.loads(path.read_text()) != wanted:
        return False
    return _evaluation(workdir, config) is not None


def _evaluation(workdir: epath.Path, config) -> dict | None:
    prefix = f"eval/{config.data.eval_split}/"
    for record in _records(workdir):
        if record["step"] == config.num_steps and f"{prefix}psnr" in record:
            return {
                name.removeprefix(prefix): value
                for name, value in record.items()
                if name.startswith(prefix)
            }
    return None


def _result(workdir: epath.Path, config) -> dict:
    rates = [r.get("perf/images_per_second") for r in _records(workdir)]
    rates = [rate for rate in rates if rate]
    return {
        "images_per_second": statistics.median(rates) if rates else None,
        **_evaluation(workdir, config),
    }


def _pictures(plan: list):
    """Originals above each family's reconstructions; most bits, first seed."""
    from vq_jax.data import pipeline
    from vq_jax.inference.tokenizer import Tokenizer

    most = max(origin["bits"] for origin, _, _ in plan)
    data = plan[0][1].data
    images = pipeline.first_images(data, data.eval_split, NUM_IMAGES)
    rows = {"original": images}
    for origin, _, workdir in plan:
        if origin["bits"] == most:
            recons = Tokenizer.load(workdir, chunk_size=NUM_IMAGES).reconstruct(images)
            rows.setdefault(origin["family"], recons)
    return comparison.labelled_rows(rows)
