"""Sampling code by code with a cache, against one teacher-forced pass over the codes.

    python benchmarks/prior_sampling.py [--out=FILE.json] [--device=NAME]

For grids of several sizes: `sample`, all codes of a batch, drawn one after the other in
one compiled program; `forward`, the log-probability of as many codes in one pass, which
is what sampling would cost a code without a cache; `step`, one more code with the cache
of that size. The time a code grows with the grid by attention's share alone: the rest
of a step is the same for all.
"""

import argparse
import functools

import jax
import jax.numpy as jnp
import timing
from rich.console import Console
from rich.table import Table

from vq_jax.models.priors.autoregressive import AutoregressivePrior
from vq_jax.ops.sampling import Sampling
from vq_jax.ops.token_layout import TokenLayout
from vq_jax.testing import priors

SIDES = (4, 8, 16)
SIZE = {"num_layers": 4, "num_heads": 4, "hidden_dim": 256}
CODEBOOK_SIZE = 1_024


def main() -> None:
    """Measures all grids; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--num_calls", type=int, default=10, help="timed calls each")
    args = parser.parse_args()
    rows = [measure_grid(side, args.batch_size, args.num_calls) for side in SIDES]
    origin = {
        **timing.origin(args.device),
        **SIZE,
        "codebook_size": CODEBOOK_SIZE,
        "batch_size": args.batch_size,
        "num_calls": args.num_calls,
    }
    Console(width=100).print(_table(rows, origin))
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure_grid(side: int, batch_size: int, num_calls: int) -> dict:
    """Of a grid of side x side codes; float32."""
    tokens = side * side
    layout = TokenLayout((side, side), ((side, side),), CODEBOOK_SIZE)
    prior = AutoregressivePrior(layout, **SIZE)
    variables = priors.variables(prior, random=0.02)
    labels = jnp.zeros(batch_size, jnp.int32)
    apply = functools.partial(prior.apply, variables)

    def sample(seed, codes, caches):
        keys = jax.random.split(jax.random.key(seed), batch_size)
        return apply(keys, labels, Sampling(), method="sample")

    def forward(seed, codes, caches):
        return apply(codes, labels, method="log_prob")

    def step(seed, codes, caches):
        return apply(codes[:, 0, 0], caches, tokens - 2, method="advance")

    compiled = jax.jit(lambda seed: sample(seed, None, None))
    for seed in range(2):
        codes = compiled(jnp.int32(seed))
    begin = jax.jit(functools.partial(apply, method="begin"))
    _, caches = begin(labels, codes[:, 0, :1])
    functions = {"sample": sample, "forward": forward, "step": step}
    found = timing.measure(functions, jnp.int32(0), codes, caches, num_calls=num_calls)
    drawn, read = (
        1e3 * batch_size * tokens / found[name]["median_ms"]
        for name in ("sample", "forward")
    )
    return {
        "grid": [side, side],
        "programs": compiled._cache_size(),  # for all seeds
        "tokens_per_second": {"sample": round(drawn), "forward": round(read)},
        "ms_a_position": round(found["sample"]["median_ms"] / tokens, 4),
        # Each position at the price of a pass over all.
        "speedup_by_the_cache": round(tokens * drawn / read, 2),
        **found,
    }


def _table(rows: list[dict], origin: dict) -> Table:
    title = timing.title(origin)
    table = Table(title=title, title_justify="left")
    headings = (
        "grid",
        "programs",
        "tokens/s drawn",
        "read",
        "ms a position",
        "step ms",
    )
    for heading in (*headings, "cache's gain"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            "x".join(map(str, row["grid"])),
            str(row["programs"]),
            f"{row['tokens_per_second']['sample']:,}",
            f"{row['tokens_per_second']['forward']:,}",
            f"{row['ms_a_position']:.2f}",
            f"{row['step']['median_ms']:.2f}",
            f"{row['speedup_by_the_cache']:.1f}",
        )
    return table


if __name__ == "__main__":
    main()
