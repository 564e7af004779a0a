"""vq-jax compare-quantizers --config=configs/compare_quantizers.py --workdir=DIR
    [--families=vq,fsq] [--bits=8] [--seeds=0] [--config.a.b=value]

Trains every family with the same encoder, decoder, data, bits and steps, and writes
DIR/comparison.md, .json, .png (figure) and _images.png. The same command goes on where
it was stopped. The config file takes a variant FAMILY-BITS, as fsq-8.
"""

import sys

from etils import epath

from vq_jax.cli import exits, runs
from vq_jax.cli.train import parse
from vq_jax.evaluation import comparison, pictures
from vq_jax.workdirs.files import write_json

FAMILIES = "vq,vq_rotation,vq_cosine,vq_ema,cvq,simvq,ibq,gumbel,soft,fsq,lfq,bsq,"
FAMILIES += "product,residual,none"
OPTIONS = {
    "config": None,
    "workdir": None,
    "families": FAMILIES,
    "bits": "8",
    "seeds": "0",
}
USAGE = (
    "vq-jax compare-quantizers --config=configs/compare_quantizers.py "
    "--workdir=runs/compare"
)
NUM_IMAGES = 8


def main(argv: list[str] | None = None) -> None:
    """Trains what is missing, then writes table, figure and pictures."""
    argv = sys.argv if argv is None else argv
    runs.run_command(argv, __doc__, OPTIONS, USAGE, _compare)


def _compare(options: dict, rest: list[str]) -> int:
    folder, console = epath.Path(options["workdir"]), exits.console()
    plan = _plan(options, rest)
    runs.check_all(plan)
    code = runs.train_all(plan, console)
    if code:
        return code
    results = [runs.result(run) for run in plan]
    write_json(folder / "comparison.json", {"runs": results})
    table = folder / "comparison.md"
    table.write_text(comparison.markdown(results))
    figure = comparison.write_figure(folder / "comparison.png", results)
    images = pictures.write_png(folder / "comparison_images.png", _pictures(plan))
    console.print(table.read_text(), markup=False, soft_wrap=True)
    for path in (table, figure, images):
        console.print(f"wrote {path}", soft_wrap=True)
    return 0


def _plan(options: dict, rest: list[str]) -> list[runs.Run]:
    """Every run, in order."""
    plan = []
    path, _, variant = options["config"].partition(":")
    all_bits = runs.numbers(options, "bits", "6,8,10")
    for seed in runs.numbers(options, "seeds", "0,1,2"):
        for bits in all_bits:
            for family in options["families"].split(","):
                words = [*filter(None, [variant]), f"{family}-{bits}"]
                name = f"{'-'.join([*words, str(seed)])}".replace(",", "-")
                workdir = epath.Path(options["workdir"]) / name
                flags = [
                    "train",
                    f"--config={path}:{','.join(words)}",
                    f"--config.seed={seed}",
                    f"--workdir={workdir}",
                    *rest,
                ]
                origin = {"family": family, "bits": bits, "seed": seed}
                plan.append(runs.Run(origin, parse(flags).config, workdir))
    return plan


def _pictures(plan: list[runs.Run]):
    """Originals above each family's reconstructions; most bits, first seed."""
    from vq_jax.data import pipeline
    from vq_jax.inference.tokenizer import Tokenizer

    most = max(run.origin["bits"] for run in plan)
    data = plan[0].config.data
    images = pipeline.first_images(data, data.eval_split, NUM_IMAGES)
    rows = {"original": images}
    for run in plan:
        if run.origin["bits"] == most:
            tokenizer = Tokenizer.load(run.workdir, chunk_size=NUM_IMAGES)
            rows.setdefault(run.origin["family"], tokenizer.reconstruct(images))
    return comparison.labelled_rows(rows)
