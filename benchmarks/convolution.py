"""What convolutions and GroupNorm cost beside XLA's and Flax's own ways.

    python benchmarks/convolution.py [--out=FILE.json] [--device=NAME]

Each row compares two programs of the same numbers up to rounding: a convolution with
all its gradients, compiled with our options against XLA's own; by tiles against XLA's
convolution; after upsampling, by its four phases against repeated pixels; GroupNorm,
ours against Flax's. Ratios of median times are theirs / ours: above 1, ours is faster.
The first row of a device that is no CPU has the same program twice.
"""

import argparse
import functools

import jax
import jax.numpy as jnp
import timing
from flax import linen as nn
from jax import lax

from vq_jax.models.layers.norms import GroupNorm
from vq_jax.ops import convolution, winograd

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
        {"input": list(shape), "what": name, **measure(shape, args.num_calls)}
        for name, measure in MEASURES.items()
        for shape in SHAPES
    ]
    origin = {**timing.origin(args.device), "num_calls": args.num_calls}
    timing.print_comparison(rows, origin, COLUMNS)
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def _options(shape, num_calls: int) -> dict:
    passes = functools.partial(_all_passes, lax.conv_general_dilated)
    functions = {"ours": passes, "theirs": jax.jit(passes)}
    return timing.compare(functions, *_operands(shape, 1), num_calls=num_calls)


def _convolutions(ours, theirs, scale: int):
    """Compares two convolutions whose results have `scale` times the size of x."""

    def measure(shape, num_calls: int) -> dict:
        functions = {
            "ours": functools.partial(_all_passes, ours),
            "theirs": functools.partial(_all_passes, theirs),
        }
        return timing.compare(functions, *_operands(shape, scale), num_calls=num_calls)

    return measure


def _group_norm(shape, num_calls: int) -> dict:
    def both_passes(module):
        def passes(x, cotangent):
            params = module.init(jax.random.key(0), x)
            value, vjp = jax.vjp(module.apply, params, x)
            return value, vjp(cotangent)

        return passes

    functions = {
        "ours": both_passes(GroupNorm(32, epsilon=1e-6)),
        "theirs": both_passes(nn.GroupNorm(32, epsilon=1e-6, use_fast_variance=False)),
    }
    x, _, cotangent = _operands(shape, 1)
    return timing.compare(functions, x, cotangent, num_calls=num_calls)


def _all_passes(conv, x, kernel, cotangent):
    def apply(x, kernel):
        return conv(x, kernel, (1, 1), "SAME", dimension_numbers=convolution.LAYOUT)

    value, vjp = jax.vjp(apply, x, kernel)
    return value, vjp(cotangent)


def _tiles(x, kernel, *_, **options):
    del options
    return winograd.convolve_by_tiles(x, kernel)


def _repeated(x, *args, **options):
    x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
    return lax.conv_general_dilated(x, *args, **options)


def _operands(shape, scale: int):
    """x, a kernel, and a cotangent of a result of `scale` times the size; float32."""
    batch, height, width, dim = shape
    keys = jax.random.split(jax.random.key(0), 3)
    larger = (batch, scale * height, scale * width, dim)
    return [
        jax.random.normal(key, shape)
        for key, shape in zip(keys, (shape, (3, 3, dim, dim), larger), strict=True)
    ]


MEASURES = {
    "convolution, all passes": _options,
    "convolution by tiles": _convolutions(_tiles, lax.conv_general_dilated, 1),
    "after upsampling": _convolutions(convolution.convolve_upsampled, _repeated, 2),
    "GroupNorm, both passes": _group_norm,
}


COLUMNS = {
    "input": lambda row: "x".join(map(str, row["input"])),
    "what": lambda row: row["what"],
}


if __name__ == "__main__":
    main()
