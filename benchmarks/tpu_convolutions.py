"""What bare convolutions cost on TPU chips, by the TPU's compiler: no TPU is needed.

    pip install "jax[tpu]"
    python benchmarks/tpu_convolutions.py [--topology v5e:2x2 v6e:2x2] [--out=FILE]

Those of 3x3 taps that VQGAN's f16 model has many of, each alone in a program, bfloat16:
forward, the gradient of the input and that of the kernel. What a step takes beyond them
is norms, residual branches and the like.
"""

import argparse
import os

from vq_jax.cli.plan import ENVIRONMENT

# Above the import of JAX.
os.environ.update(JAX_PLATFORMS="cpu", **ENVIRONMENT)

import jax
import timing
from jax.experimental.layout import Format, Layout
from rich.console import Console
from rich.table import Table

from vq_jax import compiler
from vq_jax.planning import cost, hlo
from vq_jax.planning.targets import open_target
from vq_jax.testing.convolutions import convolve

# Side of the images, channels of both.
LAYERS = ((256, 128), (128, 128), (64, 256), (32, 256), (16, 512))


def _of_input(x, kernel):
    return jax.vjp(lambda x: convolve(x, kernel), x)[1](x)


def _of_kernel(x, kernel):
    return jax.vjp(lambda kernel: convolve(x, kernel), kernel)[1](x)


PASSES = {"forward": convolve, "of input": _of_input, "of kernel": _of_kernel}


def main() -> None:
    """Compiles all of them; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--topology", nargs="+", default=["v5e:2x2", "v6e:2x2"])
    parser.add_argument("--images", type=int, default=8, help="a chip")
    args = parser.parse_args()
    origin = timing.origin("the compiler for TPU, estimates")
    rows = [
        measure(topology, side, channels, args.images)
        for topology in args.topology
        for side, channels in LAYERS
    ]
    _print(rows, origin)
    if args.out:
        timing.write_json(args.out, {**origin, "images": args.images, "rows": rows})


def measure(topology: str, side: int, channels: int, images: int) -> dict:
    """Million cycles of each pass, and of the products of one at the peak."""
    target = open_target("tpu", topology)
    device, chip = target.devices[0], target.chip
    # In the order that suits it in memory, as a layer within a step.
    there = Format(Layout.AUTO, jax.sharding.SingleDeviceSharding(device))
    x = jax.ShapeDtypeStruct((images, side, side, channels), "bfloat16")
    kernel = jax.ShapeDtypeStruct((3, 3, channels, channels), "bfloat16")
    cycles = {}
    for name, function in PASSES.items():
        placed = jax.jit(function, in_shardings=there, out_shardings=there)
        lowered = placed.lower(x, kernel)
        compiled = lowered.compile(compiler_options=compiler.options(device))
        cycles[name] = cost.cycles(hlo.parse(compiled.as_text()))
    flops = 2 * 9 * channels * x.size
    at_peak = flops / chip.flops_per_second * chip.clock
    return {
        "topology": topology,
        "side": side,
        "channels": channels,
        **{name: round(one / 1e6, 3) for name, one in cycles.items()},
        "at peak": round(at_peak / 1e6, 3),
        "share_of_peak": round(len(cycles) * at_peak / sum(cycles.values()), 2),
    }


def _print(rows: list[dict], origin: dict) -> None:
    title = timing.title(origin)
    table = Table(*rows[0], title=f"{title}, million cycles", title_justify="left")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
