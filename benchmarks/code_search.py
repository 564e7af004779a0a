"""The search for the nearest code, against the bare product and the plain argmin.

    python benchmarks/code_search.py [--out=FILE.json] [--device=NAME]

Codebooks of 512 to 2^18 codes, float32. "product" is the matrix product of vectors and
codes alone, whole; "argmin" the definition in three lines, which holds all distances.
Where the whole product would not fit a machine, both get so many vectors fewer, and the
search too. Calls take turns, and ratios are medians over neighbouring calls: search /
product, below 1 where the search is faster than writing the products to memory, and
argmin / search. `temp_mib` is the compiler's count.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import timing
from jax import lax
from rich.console import Console
from rich.table import Table

from vq_jax.ops import distances

NUM_VECTORS = 65_536
CODEBOOK_SIZES = (512, 1_024, 4_096, 16_384, 2**16, 2**18)
MAX_PRODUCTS = 2**30
"""Products held at a time: 4 GiB, the whole of the largest case of 65,536 vectors."""


def main() -> None:
    """Measures all sizes; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--num_vectors", type=int, default=NUM_VECTORS)
    parser.add_argument("--code_dim", type=int, default=256)
    parser.add_argument("--num_calls", type=int, default=5, help="timed calls each")
    parser.add_argument(
        "--codebook_sizes", type=int, nargs="+", default=CODEBOOK_SIZES, metavar="K"
    )
    args = parser.parse_args()
    origin = {
        **timing.origin(args.device),
        "code_dim": args.code_dim,
        "num_calls": args.num_calls,
    }
    rows = []
    for size in args.codebook_sizes:
        count = min(args.num_vectors, MAX_PRODUCTS // size)
        rows.append(measure(count, size, args.code_dim, args.num_calls))
        if args.out:
            timing.write_json(args.out, {**origin, "rows": rows})
    Console(width=100).print(_table(rows, origin))


def measure(num_vectors: int, size: int, dim: int, num_calls: int) -> dict:
    """All three on the same vectors and codes, and the ratios of their times."""
    z = jax.random.normal(jax.random.key(0), (num_vectors, dim))
    codes = jax.random.normal(jax.random.key(1), (size, dim))
    functions = {"search": distances.nearest_code, "product": _product}
    functions["argmin"] = _argmin
    records, ms = timing.sample(functions, z, codes, num_calls=num_calls, num_warm_up=1)
    return {
        "num_vectors": num_vectors,
        "codebook_size": size,
        "search_to_product": _ratio(ms["search"], ms["product"]),
        "argmin_to_search": _ratio(ms["argmin"], ms["search"]),
        **records,
    }


def _product(z, codes):
    return jnp.matmul(z, codes.T, precision=lax.Precision.HIGHEST)


def _argmin(z, codes):
    squares = jnp.sum(codes**2, axis=1)[None] - 2.0 * _product(z, codes)
    return jnp.argmin(squares, axis=1)


def _ratio(above: list[float], below: list[float]) -> float:
    return round(float(np.median(np.divide(above, below))), 3)


def _table(rows: list[dict], origin: dict) -> Table:
    title = timing.title(origin)
    headings = ("n", "k", "search ms", "product ms", "argmin ms")
    ratios = ("search/product", "argmin/search", "temp MiB")
    table = Table(title=title, title_justify="left")
    for heading in (*headings, *ratios):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            f"{row['num_vectors']:,}",
            f"{row['codebook_size']:,}",
            *(f"{row[n]['median_ms']:,.0f}" for n in ("search", "product", "argmin")),
            f"{row['search_to_product']:.2f}",
            f"{row['argmin_to_search']:.2f}",
            f"{row['search']['temp_mib']:,.0f}",
        )
    return table


if __name__ == "__main__":
    main()
