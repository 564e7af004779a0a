"""Images to codes, from disk to disk, against the bare encoder on the device.

    python benchmarks/tokenizing.py [--out=FILE.json] [--device=NAME]

`bare`: the compiled encoder on batches that are on the device already, one dispatched
after the other. `whole`: what `vq-jax tokenize` does, from opening the data to the
card of the last shard, without loading the tokenizer and compiling it. Both take turns,
split by split, since other work on the machine slows them down; where that takes cores
away, the processor time of an image says more than the clock.

The tokenizer is that of configs/vqvae_fashion_mnist.py, untrained, or --workdir's.
"""

import argparse
import functools
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np
import timing
from rich.console import Console
from rich.table import Table

sys.path.append(str(pathlib.Path(__file__).parents[1]))  # for configs/

from configs import vqvae_fashion_mnist
from vq_jax.data import pipeline
from vq_jax.data.code_writer import CodeWriter
from vq_jax.inference import tokenizer as tokenizing
from vq_jax.inference.encoding import code_settings, write_codes
from vq_jax.inference.fit import Fit
from vq_jax.inference.load import SavedTokenizer, open_workdir
from vq_jax.inference.views import Views
from vq_jax.testing.runs import initialise_run

SHARD_SIZE = 4_096  # the default of vq-jax tokenize
BARE_IMAGES = 8_192  # in a turn


def main() -> None:
    """Measures all sizes of chunks; prints a table and writes it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--workdir", help="of a tokenizer; default: an untrained one")
    parser.add_argument("--data", help="source; default: that of the tokenizer's run")
    parser.add_argument("--splits", default="test,train")
    parser.add_argument("--chunk_sizes", default="32,128")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if not args.workdir:
            initialise_run(vqvae_fashion_mnist.get_config(), folder / "run")
        saved = open_workdir(args.workdir or folder / "run")
        saved.config.data.source = args.data or saved.config.data.source
        saved.load()
        rows = [
            measure_chunks(saved, int(size), args.splits.split(","), folder / size)
            for size in args.chunk_sizes.split(",")
        ]
    origin = {**timing.origin(args.device), "source": saved.config.data.source}
    Console(width=100).print(_table(rows, origin))
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure_chunks(
    saved: SavedTokenizer, chunk_size: int, splits: list[str], folder: pathlib.Path
) -> dict:
    """Of all splits, with chunks of at most so many images."""
    tokenizer = tokenizing.Tokenizer(saved.model, saved.load(), chunk_size=chunk_size)
    data = saved.config.data
    bare = _bare(tokenizer, saved, pipeline.first_images(data, splits[0], 256))
    bare(), bare()
    times = {"bare": [bare()], "whole": []}
    for split in splits:
        times["whole"].append(_timed(_whole, saved, tokenizer, split, folder / split))
        times["bare"].append(bare())
    totals = {
        name: np.sum([[n, clock, cpu] for n, clock, cpu in found], axis=0)
        for name, found in times.items()
    }
    per_second, cpu = {}, {}
    for name, (images, seconds, processor) in totals.items():
        per_second[name] = round(float(images / seconds), 1)
        cpu[name] = round(float(1e6 * processor / images), 1)
    return {
        "chunk_size": chunk_size,
        "num_images": int(totals["whole"][0]),
        "images_per_second": per_second,
        "ratio": round(per_second["whole"] / per_second["bare"], 3),
        "cpu_us_per_image": cpu,
        "cpu_ratio": round(cpu["bare"] / cpu["whole"], 3),
        "turns": {
            name: [[n, round(clock, 3), round(cpu, 3)] for n, clock, cpu in found]
            for name, found in times.items()
        },
    }


def _timed(function: Callable[..., int], *args) -> tuple[int, float, float]:
    """(images, seconds, seconds of all cores); the function returns the images."""
    clock, cpu = time.perf_counter(), time.process_time()
    count = function(*args)
    return count, time.perf_counter() - clock, time.process_time() - cpu


def _bare(tokenizer, saved: SavedTokenizer, images: np.ndarray) -> Callable:
    """What times the encoder alone, on one device; compiled here."""
    size = tokenizer.most_at_once(*images.shape[1:3])
    rows = images[np.arange(size) % len(images)]
    batch = jax.device_put(rows, jax.devices()[0])
    variables = jax.device_put(saved.load(), jax.devices()[0])
    encode = jax.jit(functools.partial(tokenizing.encode, saved.model))
    tokenizer.encode(rows)  # compiles, too

    def run() -> int:
        calls = -(-BARE_IMAGES // size)
        before = encode(variables, batch)
        for _ in range(calls - 1):
            now = encode(variables, batch)
            before.block_until_ready()
            before = now
        before.block_until_ready()
        return calls * size

    return functools.partial(_timed, run)


def _whole(saved, tokenizer, split: str, out: pathlib.Path) -> int:
    data = saved.config.data
    records = pipeline.open_records(data, split)
    views = Views(fit=Fit("crop", data, tokenizer.stride))
    settings = code_settings(saved, views, records, SHARD_SIZE)
    writer = CodeWriter(out, settings)
    write_codes(writer, tokenizer, records, views, say=lambda text: None)
    return len(records)


def _table(rows: list[dict], origin: dict) -> Table:
    title = f"{origin['source']} on {timing.title(origin)}"
    table = Table(title=title, title_justify="left")
    headings = (
        *("chunk", "images", "bare images/s", "whole", "ratio"),
        *("bare cpu us/image", "whole", "ratio"),
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        rate, cpu = row["images_per_second"], row["cpu_us_per_image"]
        table.add_row(
            str(row["chunk_size"]),
            f"{row['num_images']:,}",
            f"{rate['bare']:,.0f}",
            f"{rate['whole']:,.0f}",
            f"{row['ratio']:.2f}",
            f"{cpu['bare']:.0f}",
            f"{cpu['whole']:.0f}",
            f"{row['cpu_ratio']:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
