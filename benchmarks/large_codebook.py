"""A search among 2^18 codes of 256 dimensions: time, and peak memory of the process.

    python benchmarks/large_codebook.py [--out=FILE.json] [--device=NAME]

A whole distance matrix would be 64 GiB. One call, since it takes minutes on a CPU.
"""

import argparse
import resource
import time

import jax
import timing
from rich.console import Console

from vq_jax.ops import distances

NUM_VECTORS, CODEBOOK_SIZE, CODE_DIM = 65_536, 2**18, 256


def main() -> None:
    """Measures, prints, and writes where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    args = parser.parse_args()
    z = jax.random.normal(jax.random.key(0), (NUM_VECTORS, CODE_DIM))
    codes = jax.random.normal(jax.random.key(1), (CODEBOOK_SIZE, CODE_DIM))
    search = jax.jit(distances.nearest_code).lower(z, codes).compile()
    start = time.perf_counter()
    search(z, codes).block_until_ready()
    result = {
        **timing.origin(args.device),
        "num_vectors": NUM_VECTORS,
        "codebook_size": CODEBOOK_SIZE,
        "code_dim": CODE_DIM,
        "seconds": round(time.perf_counter() - start, 1),
        "temp_mib": round(search.memory_analysis().temp_size_in_bytes / 2**20),
        # Linux counts in KiB.
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    Console().print(result)
    if args.out:
        timing.write_json(args.out, result)


if __name__ == "__main__":
    main()
