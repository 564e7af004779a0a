"""A train step of VQGAN, ours against PyTorch's, in the same minutes on the same cores.

    python benchmarks/train_step.py [--out=FILE.json] [--device=NAME]

Each framework computes in a process of its own, and they take turns, step by step: so
neither's threads disturb the other, and a change of the machine's load meets both.
Ratios are theirs / ours, medians over pairs of neighbouring steps: above 1, ours is
faster. Memory is the largest resident set of the process while it steps, compiling and
starting left out, less what it had after its imports. Needs the extra [parity].
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
import timing
from gpu import models
from rich.console import Console
from rich.table import Table

STEPS = ("vae", "gan")
SIZES = {
    "resolution": 64,
    "base_dim": 64,
    "multipliers": (1, 2, 2),
    "num_res_blocks": 1,
    "attention_resolution": 16,
    "code_dim": 128,
    "codebook_size": 1_024,
}


def main() -> None:
    """Measures both steps; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--num_steps", type=int, default=20, help="timed steps each")
    parser.add_argument("--worker", nargs=2, metavar=("FRAMEWORK", "STEP"))
    args = parser.parse_args()
    if args.worker:
        framework, step = args.worker
        _serve({"ours": _ours, "theirs": _theirs}[framework], step, args.batch_size)
        return
    rows = [measure(step, args.batch_size, args.num_steps) for step in STEPS]
    origin = {
        **timing.origin(args.device),
        **SIZES,
        "batch_size": args.batch_size,
        "num_steps": args.num_steps,
    }
    Console(width=100).print(_table(rows, origin))
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure(step: str, batch_size: int, num_steps: int) -> dict:
    """Of one kind of step: both frameworks' times and memory, and their ratios."""
    workers = {
        name: _Worker(name, step, batch_size=batch_size) for name in ("ours", "theirs")
    }
    ms = {name: [] for name in workers}
    for _ in range(num_steps):
        for name, worker in workers.items():
            ms[name].append(worker.ask()["ms"])
    row = {"step": step}
    for name, worker in workers.items():
        low, median, high = np.percentile(ms[name], [25, 50, 75])
        row[name] = {
            "median_ms": round(float(median), 1),
            "iqr_ms": round(float(high - low), 1),
            **worker.close(),
        }
    pairs = np.divide(ms["theirs"], ms["ours"])
    memory = row["theirs"]["peak_mib"] / row["ours"]["peak_mib"]
    row["ratio"] = round(float(np.median(pairs)), 3)
    row["memory_ratio"] = round(memory, 3)
    return row


class _Worker:
    """A process that takes a step whenever it is asked to."""

    def __init__(self, framework: str, step: str, *, batch_size: int):
        command = [sys.executable, __file__, f"--batch_size={batch_size}"]
        self._process = subprocess.Popen(
            [*command, "--worker", framework, step],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._started = json.loads(self._process.stdout.readline())

    def ask(self) -> dict:
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> dict:
        """Ends it; the seconds until its first steps were done, and its peak memory."""
        out, _ = self._process.communicate("", timeout=60)
        return {**self._started, **json.loads(out)}


def _say(answer: dict) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def _serve(make, step: str, batch_size: int) -> None:
    """A worker's life: make the step, warm up, then one step for each line."""
    images = models.images(SIZES, batch_size)
    started = time.perf_counter()
    take, base = make(step, images)
    for _ in range(timing.WARM_UP_CALLS):
        take()
    _forget_peak()
    _say({"start_s": round(time.perf_counter() - started, 1)})
    for _ in sys.stdin:
        started = time.perf_counter()
        take()
        _say({"ms": 1e3 * (time.perf_counter() - started)})
    _say({"peak_mib": round(_resident("VmHWM") - base)})


def _ours(step: str, images):
    """`(step(), resident MiB after the imports)`."""
    import jax

    from vq_jax.training.compiled import compile_step
    from vq_jax.training.setup import prepare

    base = _resident("VmRSS")
    config = models.config(
        SIZES, adversarial=step == "gan", batch_size=len(images), dtype="float32"
    )
    setup = prepare(config)
    state = jax.jit(setup.task.init)(jax.random.key(0))
    compiled = compile_step(setup)
    batch, key = {"image": jax.device_put(images)}, jax.random.key(1)

    def take():
        nonlocal state
        state, metrics = compiled(state, batch, key, {})
        jax.block_until_ready((state, metrics))

    return take, base


def _theirs(step: str, images):
    """`(step(), resident MiB after the imports)`."""
    import torch
    from peers import torch_vqgan

    base = _resident("VmRSS")
    model = torch_vqgan.Autoencoder(torch_vqgan.Sizes(**SIZES))
    update = (
        torch_vqgan.VaeStep(model)
        if step == "vae"
        else torch_vqgan.GanStep(model, torch_vqgan.discriminator())
    )
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return lambda: update(batch), base


def _forget_peak() -> None:
    """The kernel's peak of this process begins anew, from what is resident now."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _resident(which: str) -> float:
    """MiB: "VmRSS" now, "VmHWM" at most."""
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines[which].split()[0]) / 1024


def _table(rows: list[dict], origin: dict) -> Table:
    title = f"{origin['device']}, jax {origin['jax']}, commit {origin['commit']}"
    headings = ("step", "ours ms", "theirs ms", "ratio", "MiB", "ratio")
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        both = [row["ours"], row["theirs"]]
        table.add_row(
            row["step"],
            *(f"{r['median_ms']:.0f} ({r['iqr_ms']:.0f})" for r in both),
            f"{row['ratio']:.2f}",
            " / ".join(f"{r['peak_mib']}" for r in both),
            f"{row['memory_ratio']:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
