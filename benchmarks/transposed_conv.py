"""`TransposedConv` against `flax.linen.ConvTranspose`: the same numbers, other times.

    python benchmarks/transposed_conv.py [--out=FILE.json] [--device=NAME]

Ratios of median times are theirs / ours: above 1, ours is faster.
"""

import argparse

import jax
import timing
from flax import linen as nn

from vq_jax.models.layers.transposed import TransposedConv

# (shape of the input [b, h, w, c], output channels): the two layers of the default
# decoder, at the width of configs/quickstart.py.
CASES = (((32, 16, 16, 64), 32), ((32, 32, 32, 32), 3))


def main() -> None:
    """Measures all cases; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--num_calls", type=int, default=30, help="timed calls each")
    args = parser.parse_args()
    rows = [row for case in CASES for row in measure_case(*case, args.num_calls)]
    origin = {**timing.origin(args.device), "num_calls": args.num_calls}
    timing.print_comparison(rows, origin, COLUMNS)
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure_case(shape: tuple[int, ...], features: int, num_calls: int) -> list[dict]:
    """The forward pass, and gradients without it; float32.

    The loss is linear in the output, so XLA drops the forward pass from its gradients.
    """
    ours = TransposedConv(features)
    theirs = nn.ConvTranspose(features, (4, 4), strides=(2, 2), padding="SAME")
    x = jax.random.normal(jax.random.key(0), shape)
    params = ours.init(jax.random.key(1), x)
    out_shape = jax.eval_shape(ours.apply, params, x).shape
    cotangent = jax.random.normal(jax.random.key(2), out_shape)

    rows = []
    for name, make in PASSES.items():
        both = timing.compare(
            {"ours": make(ours), "theirs": make(theirs)},
            params,
            x,
            cotangent,
            num_calls=num_calls,
        )
        case = {"input": list(shape), "features": features, "pass": name}
        rows.append({**case, **both})
    return rows


def _forward(module):
    return lambda params, x, cotangent: module.apply(params, x)


def _gradient(argnums):
    def make(module):
        def loss(params, x, cotangent):
            return (cotangent * module.apply(params, x)).sum()

        return jax.grad(loss, argnums=argnums)

    return make


PASSES = {
    "forward": _forward,
    "params gradient": _gradient(0),
    "input gradient": _gradient(1),
    "both gradients": _gradient((0, 1)),
}


COLUMNS = {
    "input": lambda row: "x".join(map(str, row["input"])),
    "out": lambda row: str(row["features"]),
    "pass": lambda row: row["pass"],
}


if __name__ == "__main__":
    main()
