"""A training pass of a quantizer, ours against lucidrains' `vector-quantize-pytorch`.

    python benchmarks/quantizer_step.py [--out=FILE.json] [--device=NAME]

Codes by moving averages of decay 0.99, straight-through: the quantised vectors, the
gradient of a loss of them and of the commitment, and the averages after it, of 8 x 32 x
32 vectors of 256 dimensions, float32. The processes of both take turns (`turns.py`).
Needs the extra [parity].
"""

import argparse
import sys

import numpy as np
import timing
import turns
from rich.console import Console
from rich.table import Table

SHAPE = (8, 32, 32, 256)
CODEBOOK_SIZES = (512, 1_024, 16_384)


def main() -> None:
    """Measures all sizes; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--num_steps", type=int, default=20, help="timed steps each")
    parser.add_argument("--worker", nargs=2, metavar=("FRAMEWORK", "CODES"))
    args = parser.parse_args()
    if args.worker:
        framework, codebook_size = args.worker
        make = {"ours": _ours, "theirs": _theirs}[framework]
        turns.serve(lambda: make(int(codebook_size)))
        return
    rows = []
    for size in CODEBOOK_SIZES:
        command = [sys.executable, __file__, "--worker"]
        commands = {name: [*command, name, str(size)] for name in turns.FRAMEWORKS}
        rows.append({"codebook_size": size, **turns.compare(commands, args.num_steps)})
    origin = {**timing.origin(args.device), "shape": SHAPE, "num_steps": args.num_steps}
    table = Table("codes", "ours ms", "theirs ms", "ratio", "MiB", "ratio")
    for row in rows:
        both = [row["ours"], row["theirs"]]
        table.add_row(
            f"{row['codebook_size']:,}",
            *(f"{r['median_ms']:.1f} ({r['iqr_ms']:.1f})" for r in both),
            f"{row['ratio']:.2f}",
            " / ".join(f"{r['peak_mib']}" for r in both),
            f"{row['memory_ratio']:.2f}",
        )
    Console(width=100).print(table)
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def _vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def _ours(codebook_size: int):
    """`(step(), resident MiB after the imports)`."""
    import jax
    import jax.numpy as jnp

    from vq_jax import compiler
    from vq_jax.models.quantizers import base
    from vq_jax.models.quantizers.vector_ema import EmaVectorQuantizer

    before = turns.resident()
    quantizer = EmaVectorQuantizer(
        codebook_size=codebook_size, code_dim=SHAPE[-1], restart_threshold=0.0
    )
    z_e = jax.device_put(_vectors())
    variables = quantizer.init(jax.random.key(0), z_e, train=False)
    # Copied, since two of its arrays may be one and are given away in a step.
    variables = jax.tree.map(jnp.copy, {base.STATE: variables[base.STATE]})

    def step(variables, z_e):
        def loss(z_e):
            output, statistics = quantizer.apply(
                variables, z_e, train=True, mutable=[base.STATISTICS]
            )
            return jnp.sum(jnp.square(output.z_q)) + output.loss, statistics

        grads, statistics = jax.grad(loss, has_aux=True)(z_e)
        _, new = quantizer.apply(
            {**variables, **statistics}, method="update", mutable=[base.STATE]
        )
        return grads, new

    step = compiler.jit(step, donate_argnums=0)

    def take():
        nonlocal variables
        grads, variables = step(variables, z_e)
        jax.block_until_ready((grads, variables))

    return take, before


def _theirs(codebook_size: int):
    """`(step(), resident MiB after the imports)`."""
    import torch
    from vector_quantize_pytorch import VectorQuantize

    before = turns.resident()
    quantizer = VectorQuantize(
        dim=SHAPE[-1], codebook_size=codebook_size, decay=0.99, commitment_weight=0.25
    )
    quantizer.train()
    vectors = torch.from_numpy(_vectors()).reshape(SHAPE[0], -1, SHAPE[-1])

    def take():
        z_e = vectors.clone().requires_grad_()
        z_q, _, loss = quantizer(z_e)
        (z_q.square().sum() + loss.sum()).backward()

    return take, before


if __name__ == "__main__":
    main()
