"""`TransposedConv` against `flax.linen.ConvTranspose`: the same numbers, other times.

    python benchmarks/transposed_conv.py [--out=FILE.json] [--device=NAME]

Ratios are theirs / ours: above 1, ours is faster or smaller.
"""

import argparse

import jax
from flax import linen as nn
from rich.console import Console
from rich.table import Table

import timing
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
    print_table(rows, origin)
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure_case(shape: tuple[int, ...], features: int, num_calls: int) -> list[dict]:
    """Forward, and forward with the gradients of parameters and input; float32."""
    ours = TransposedConv(features)
    theirs = nn.ConvTranspose(features, (4, 4), strides=(2, 2), padding="SAME")
    x = jax.random.normal(jax.random.key(0), shape)
    params = ours.init(jax.random.key(1), x)
    cotangent = jax.random.normal(
        jax.random.key(2), jax.eval_shape(ours.apply, params, x).shape
    )

    def gradient(module):
        def loss(params, x, cotangent):
            return (cotangent * module.apply(params, x)).sum()

        return jax.grad(loss, argnums=(0, 1))

    forward = timing.measure(
        {"ours": ours.apply, "theirs": theirs.apply}, params, x, num_calls=num_calls
    )
    backward = timing.measure(
        {"ours": gradient(ours), "theirs": gradient(theirs)},
        params,
        x,
        cotangent,
        num_calls=num_calls,
    )
    case = {"input": list(shape), "features": features}
    return [
        {**case, "pass": "forward", **forward},
        {**case, "pass": "gradient", **backward},
    ]


def print_table(rows: list[dict], origin: dict) -> None:
    """One line a case and pass."""
    title = f"{origin['device']}, jax {origin['jax']}, commit {origin['commit']}"
    table = Table(title=title, title_justify="left")
    for heading in ("input", "features", "pass", "ours", "theirs", "time", "memory"):
        table.add_column(heading, justify="right")
    for row in rows:
        ours, theirs = row["ours"], row["theirs"]
        table.add_row(
            str(tuple(row["input"])),
            str(row["features"]),
            row["pass"],
            *(
                f"{r['median_ms']:.2f} ± {r['iqr_ms'] / 2:.2f} ms"
                for r in (ours, theirs)
            ),
            f"x {theirs['median_ms'] / ours['median_ms']:.2f}",
            f"x {theirs['temp_mib'] / ours['temp_mib']:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
