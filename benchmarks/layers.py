"""The convolutions of VQGAN's step one by one: XLA's on CPUs against PyTorch's oneDNN.

    python benchmarks/layers.py [--out=FILE.json]

Those of the autoencoder of `train_step.py`, read from the peer while it runs: each with
its gradients by input and kernel, alone, in processes that take turns (`turns.py`). The
last line adds them up, each as often as the step has it: ours, PyTorch's, and the sum
of the faster of both. Needs the extra [parity].
"""

import argparse
import collections
import json
import sys
from typing import NamedTuple

import timing
import train_step
import turns
from rich.console import Console
from rich.table import Table


class Layer(NamedTuple):
    """A convolution of square maps; "down" has stride 2, "up" repeats pixels first."""

    kind: str
    size: int
    inputs: int
    outputs: int
    taps: int

    @property
    def gflop(self) -> float:
        """Of an image's three passes, or two where the input is the image."""
        size = {"conv": self.size, "down": self.size // 2, "up": 2 * self.size}
        products = size[self.kind] ** 2 * self.taps**2 * self.inputs * self.outputs
        return 2 * products * (2 if self.inputs == 3 else 3) / 1e9


def main() -> None:
    """Measures all layers; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--num_steps", type=int, default=15, help="timed calls each")
    parser.add_argument("--worker", nargs=2, metavar=("FRAMEWORK", "LAYER"))
    args = parser.parse_args()
    if args.worker:
        make = {"ours": _ours, "theirs": _theirs}[args.worker[0]]
        layer = Layer(*json.loads(args.worker[1]))
        turns.serve(lambda: make(layer, args.batch_size))
        return
    rows = [
        {**layer._asdict(), "count": count, **measure(layer, args)}
        for layer, count in layers().items()
    ]
    given = {"batch_size": args.batch_size, "num_steps": args.num_steps}
    content = {**timing.origin(args.device), **given, "sums": sums(rows), "rows": rows}
    Console(width=100).print(_table(content))
    if args.out:
        timing.write_json(args.out, content)


def layers() -> dict[Layer, int]:
    """How often the peer's autoencoder has each."""
    import torch
    from peers import torch_vqgan

    found, up = collections.Counter(), False

    def convolved(module, arguments, _):
        nonlocal up
        size = arguments[0].shape[-1]
        kind = "down" if module.stride[0] == 2 else "up" if up else "conv"
        # The peer pads or repeats before the module gets its input.
        size = {"conv": size, "down": size - 1, "up": size // 2}[kind]
        taps = module.kernel_size[0]
        found[Layer(kind, size, module.in_channels, module.out_channels, taps)] += 1
        up = False

    def repeated(*_):
        nonlocal up
        up = True

    model = torch_vqgan.Autoencoder(torch_vqgan.Sizes(**train_step.SIZES))
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(convolved)
        elif isinstance(module, torch.nn.Upsample):
            module.register_forward_hook(repeated)
    resolution = train_step.SIZES["resolution"]
    model(torch.zeros(1, 3, resolution, resolution))
    return dict(found)


def measure(layer: Layer, args: argparse.Namespace) -> dict:
    """Both frameworks' times of all its passes, and how fast they multiply."""
    options = [f"--batch_size={args.batch_size}", "--worker"]
    command = [sys.executable, __file__, *options]
    commands = {name: [*command, name, json.dumps(layer)] for name in turns.FRAMEWORKS}
    row = turns.compare(commands, args.num_steps)
    for name in turns.FRAMEWORKS:
        seconds = row[name]["median_ms"] / 1e3
        rate = args.batch_size * layer.gflop / seconds
        row[name]["gflop_per_s"] = round(rate)
    return row


def sums(rows: list[dict]) -> dict[str, float]:
    """Milliseconds of all convolutions of a step; "best" takes the faster of both."""
    both = {name: [row[name]["median_ms"] for row in rows] for name in turns.FRAMEWORKS}
    both["best"] = [min(pair) for pair in zip(*both.values(), strict=True)]
    counts = [row["count"] for row in rows]
    return {
        name: round(sum(n * ms for n, ms in zip(counts, times, strict=True)))
        for name, times in both.items()
    }


def _ours(layer: Layer, batch_size: int):
    """`(all passes, resident MiB after the imports)`."""
    import jax
    from jax import lax

    from vq_jax import compiler
    from vq_jax.ops import convolution, winograd

    base = turns.resident()
    function, strides, padding = {
        "conv": (winograd.convolve, (1, 1), "SAME"),
        "down": (lax.conv_general_dilated, (2, 2), ((0, 1), (0, 1))),
        "up": (convolution.convolve_upsampled, (1, 1), "SAME"),
    }[layer.kind]

    def convolve(x, kernel):
        layout = convolution.LAYOUT
        return function(x, kernel, strides, padding, dimension_numbers=layout)

    def passes(x, kernel, cotangent):
        value, vjp = jax.vjp(convolve, x, kernel)
        by_x, by_kernel = vjp(cotangent)
        return value, by_kernel, None if layer.inputs == 3 else by_x

    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (batch_size, layer.size, layer.size, layer.inputs))
    shape = (layer.taps, layer.taps, layer.inputs, layer.outputs)
    kernel = jax.random.normal(keys[1], shape)
    shape = jax.eval_shape(convolve, x, kernel).shape
    cotangent = jax.random.normal(keys[2], shape)
    compiled = compiler.jit(passes)
    return lambda: jax.block_until_ready(compiled(x, kernel, cotangent)), base


def _theirs(layer: Layer, batch_size: int):
    """`(all passes, resident MiB after the imports)`."""
    import torch
    from torch.nn import functional

    base = turns.resident()
    x = torch.randn(batch_size, layer.inputs, layer.size, layer.size)
    x.requires_grad_(layer.inputs != 3)
    shape = (layer.outputs, layer.inputs, layer.taps, layer.taps)
    kernel = torch.randn(shape, requires_grad=True)

    def convolve():
        if layer.kind == "down":
            return functional.conv2d(functional.pad(x, (0, 1, 0, 1)), kernel, stride=2)
        scaled = x
        if layer.kind == "up":
            scaled = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return functional.conv2d(scaled, kernel, padding=layer.taps // 2)

    cotangent = torch.randn_like(convolve())
    wanted = [kernel, x] if x.requires_grad else [kernel]
    return lambda: torch.autograd.grad(convolve(), wanted, cotangent), base


def _table(content: dict) -> Table:
    title = f"{content['device']}, jax {content['jax']}, commit {content['commit']}"
    table = Table(title=title, title_justify="left")
    headings = ("ours ms", "theirs ms", "ratio", "ours GFLOP/s", "theirs")
    for heading in ("layer", "times", *headings):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in content["rows"]:
        name = f"{row['kind']} {row['taps']}x{row['taps']} {row['size']} px"
        both = [row[name] for name in turns.FRAMEWORKS]
        table.add_row(
            f"{name} {row['inputs']}-{row['outputs']}",
            str(row["count"]),
            *(f"{one['median_ms']:.1f}" for one in both),
            f"{row['ratio']:.2f}",
            *(str(one["gflop_per_s"]) for one in both),
        )
    added = content["sums"]
    table.add_row(
        f"all; the faster of both {added['best']} ms",
        str(sum(row["count"] for row in content["rows"])),
        *(str(added[name]) for name in turns.FRAMEWORKS),
        f"{added['theirs'] / added['ours']:.2f}",
    )
    return table


if __name__ == "__main__":
    main()
