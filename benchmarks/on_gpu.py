"""VQGAN's f16 at 256 px on one GPU: speed, memory, and the original's architecture.

    python benchmarks/on_gpu.py [--out=FILE.json]

In bfloat16: the step of the autoencoder ("vae"), that of generator and discriminator
("gan"), encoding and decoding; without a perceptual net. Then the same of PyTorch,
where it is installed with CUDA (bfloat16 autocast, channels last, eager and by
torch.compile). Batches double until one does not fit. Each framework computes in a
process of its own, one at a time. It ends in six minutes whatever happens: what fails,
or takes too long, is written down with its message, and the next measurement follows.
The file is written after every one. `share_of_peak` is of the card's dense bfloat16
products (`gpu/peaks.py`); `tflop` is what the mathematics of a call need, and "kernels"
is where the time of a G + D step goes.
"""

import argparse
import tempfile
import time

import jax
import timing
from gpu.peaks import peak_tflops
from gpu.process import NO_TIME, Process
from rich.console import Console
from rich.table import Table

STEPS = ("gan", "vae")
INFERENCE = ("encode", "decode")
OUT = "benchmarks/results/on_gpu.json"


def main() -> None:
    """Measures what there is time for; writes it as it comes, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=OUT, help="the JSON file to write")
    parser.add_argument("--seconds", type=float, default=340, help="for everything")
    parser.add_argument("--batch_size", type=int, default=32, help="the smallest")
    parser.add_argument("--max_batch_size", type=int, default=512)
    parser.add_argument(
        "--tiny", action="store_true", help="a small model on the CPU: tries the script"
    )
    args = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")  # of this process, which leaves the GPU
    origin = timing.origin()
    del origin["device"], origin["backend"]
    content = {**origin, "tiny": args.tiny, "rows": []}
    console = Console(width=110, highlight=False)
    for row in measure(args):
        content["rows"].append(row)
        timing.write_json(args.out, content)
        console.print(_line(row), soft_wrap=True)
    console.print(_table(content["rows"]))


def measure(args: argparse.Namespace):
    """Yields what was measured, or why not, one row at a time."""
    started = time.monotonic()
    failed, tried = set(), set()
    with tempfile.TemporaryDirectory() as cache:
        for framework, share, requests in stages(args.batch_size, args.max_batch_size):
            end = started + share * args.seconds
            with Process(framework, tiny=args.tiny, cache=cache) as process:
                for request in requests:
                    kind = framework, request["what"], request["mode"]
                    one = (*kind, request["batch_size"])
                    if kind in failed or one in tried:
                        continue
                    answer = process.ask(request, end)
                    if answer != NO_TIME:
                        tried.add(one)
                        if "error" in answer:
                            failed.add(kind)
                    yield {"framework": framework, **request, **_with_share(answer)}


def stages(first: int, last: int) -> list[tuple[str, float, list[dict]]]:
    """(framework, share of all time at which it ends, what to measure), in order.

    The most wanted first: all of ours at the smallest batch, the peer, larger batches
    of ours. What there was no time for comes a second time.
    """
    larger = []
    while 2 * (larger or [first])[-1] <= last:
        larger.append(2 * (larger or [first])[-1])
    ours = [_request(what, first) for what in (*STEPS, "kernels", *INFERENCE)]
    eager = [
        _request(what, size, "eager")
        for size in (first, *larger)
        for what in (STEPS if size > first else (*STEPS, *INFERENCE))
    ]
    theirs = [_request(what, first) for what in (*STEPS, *INFERENCE)]
    growing = [_request(what, size) for size in larger for what in STEPS]
    return [
        ("ours", 0.45, ours),
        ("theirs", 0.75, eager + theirs),
        ("ours", 1.0, ours + growing),
    ]


def _request(what: str, batch_size: int, mode: str = "compiled") -> dict:
    return {"what": what, "batch_size": batch_size, "mode": mode}


def _with_share(answer: dict) -> dict:
    """The answer, with its share of the card's peak where both are known."""
    peak = peak_tflops(answer.get("device", ""))
    if peak is None or "tflop" not in answer:
        return answer
    rate = answer["tflop"] / (1e-3 * answer["median_ms"])
    return {**answer, "share_of_peak": round(rate / peak, 4)}


def _line(row: dict) -> str:
    """A row in a line, as it comes."""
    name = f"{row['framework']} {row['what']} {row['batch_size']} {row['mode']}"
    if "error" in row:
        return f"{name}: {row['error'].splitlines()[0]}"
    if "shares" in row:
        shares = (f"{kind} {share:.0%}" for kind, share in row["shares"].items())
        return f"{name}: {', '.join(shares)}"
    return f"{name}: {row['images_per_s']} images/s"


def _table(rows: list[dict]) -> Table:
    """All that has a speed; ratios are to PyTorch's best of the same work and batch."""
    done = [row for row in rows if "images_per_s" in row]
    title = done[0]["device"] if done else "nothing was measured"
    table = Table(title=title, title_justify="left")
    headings = ("what", "batch", "mode", "images/s", "to PyTorch", "of peak", "GiB")
    for heading in ("framework", *headings):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in done:
        speeds = [
            other["images_per_s"]
            for other in done
            if other["framework"] == "theirs"
            and all(other[name] == row[name] for name in ("what", "batch_size"))
        ]
        ratio = f"{row['images_per_s'] / max(speeds):.2f}" if speeds else ""
        share = f"{row['share_of_peak']:.1%}" if "share_of_peak" in row else ""
        mib = row.get("compiled_mib", row.get("process_peak_mib"))
        table.add_row(
            row["framework"],
            row["what"],
            f"{row['batch_size']}",
            row["mode"],
            f"{row['images_per_s']:,.1f}",
            ratio,
            share,
            f"{mib / 1024:.1f}" if mib is not None else "",
        )
    return table


if __name__ == "__main__":
    main()
