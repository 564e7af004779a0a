"""Kernel gradients and GroupNorm of the residual models against XLA's and Flax's.

    python benchmarks/convolution.py [--out=FILE.json] [--device=NAME]

The same numbers up to rounding, other times. Ratios of median times are theirs / ours:
above 1, ours is faster. On other devices than CPUs the kernel gradients are the same
code.
"""

import argparse

import jax
import timing
from flax import linen as nn
from jax import lax
from rich.console import Console
from rich.table import Table

from vq_jax.models.layers.norms import GroupNorm
from vq_jax.ops.convolution import convolve

# [b, h, w, c]; 3x3 kernels have as many output channels.
SHAPES = (
    (8, 64, 64, 32),
    (8, 64, 64, 64),
    (8, 32, 32, 64),
    (8, 16, 16, 128),
    (1, 128, 128, 128),
)


def main() -> None:
    """Measures all cases; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--num_calls", type=int, default=20, help="timed calls each")
    args = parser.parse_args()
    rows = [
        {"input": list(shape), "what": name, **measure(make, shape, args.num_calls)}
        for name, make in PAIRS.items()
        for shape in SHAPES
    ]
    origin = {**timing.origin(args.device), "num_calls": args.num_calls}
    print_table(rows, origin)
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure(make, shape: tuple[int, ...], num_calls: int) -> dict:
    """Both functions of a pair on float32 images and cotangents of `shape`."""
    x, cotangent = jax.random.normal(jax.random.key(0), (2, *shape))
    both = timing.measure(make(shape[-1]), x, cotangent, num_calls=num_calls)
    ratio = both["theirs"]["median_ms"] / both["ours"]["median_ms"]
    return {"ratio": round(ratio, 3), **both}


def _kernel_gradients(dim):
    kernel = jax.numpy.zeros((3, 3, dim, dim))
    layout = ("NHWC", "HWIO", "NHWC")

    def gradient(conv):
        def of_kernel(x, cotangent):
            def apply(kernel):
                return conv(x, kernel, (1, 1), "SAME", dimension_numbers=layout)

            return jax.vjp(apply, kernel)[1](cotangent)

        return of_kernel

    return {"ours": gradient(convolve), "theirs": gradient(lax.conv_general_dilated)}


def _group_norms(dim):
    def both_passes(module):
        def passes(x, cotangent):
            params = module.init(jax.random.key(0), x)
            value, vjp = jax.vjp(module.apply, params, x)
            return value, vjp(cotangent)

        return passes

    theirs = nn.GroupNorm(32, epsilon=1e-6, use_fast_variance=False)
    return {
        "ours": both_passes(GroupNorm(32, epsilon=1e-6)),
        "theirs": both_passes(theirs),
    }


PAIRS = {"kernel gradient": _kernel_gradients, "GroupNorm, both passes": _group_norms}


def print_table(rows: list[dict], origin: dict) -> None:
    """One line a case: medians (interquartile ranges), ratio, memory."""
    title = f"{origin['device']}, jax {origin['jax']}, commit {origin['commit']}"
    table = Table(title=title, title_justify="left")
    for heading in ("input", "what", "ours ms", "theirs ms", "ratio", "temp MiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        both = [row["ours"], row["theirs"]]
        table.add_row(
            "x".join(map(str, row["input"])),
            row["what"],
            *(f"{r['median_ms']:.1f} ({r['iqr_ms']:.1f})" for r in both),
            f"{row['ratio']:.2f}",
            " / ".join(f"{r['temp_mib']:.0f}" for r in both),
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
