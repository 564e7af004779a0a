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
    timing.print_comparison(rows, origin, COLUMNS)
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure(make, shape: tuple[int, ...], num_calls: int) -> dict:
    """Both functions of a pair on float32 images and cotangents of `shape`."""
    x, cotangent = jax.random.normal(jax.random.key(0), (2, *shape))
    return timing.compare(make(shape[-1]), x, cotangent, num_calls=num_calls)


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


COLUMNS = {
    "input": lambda row: "x".join(map(str, row["input"])),
    "what": lambda row: row["what"],
}


if __name__ == "__main__":
    main()
