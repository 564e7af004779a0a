"""What a train step costs on TPU chips, by the TPU's compiler: no TPU is needed.

    pip install "jax[tpu]"
    PYTHONPATH=. python benchmarks/tpu_step.py [--case NAME ..] [--out=FILE]

Steps at 256 px, 8 images a chip, bfloat16, without perceptual loss, compiled for
described chips; a whole one takes minutes. `block` is one residual block of 128
channels at 256 px, forward and backward, the most expensive piece of these models.

Cycles are the compiler's own estimates of each fusion, added; nobody has timed them.
The share of peak is flops / (cycles x flops of the chip's matrix units in a cycle).
"""

import argparse
import os
import time

# Above the import of JAX: libtpu looks for the machine that it runs on.
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import hlo_cycles
import jax
import jax.numpy as jnp
import timing
from jax.experimental import topologies
from rich.console import Console
from rich.table import Table

from configs import maskgit_tokenizer_imagenet256, vqgan_imagenet256
from configs.parts.losses import drop_perceptual
from vq_jax.models.layers.resnet import ResnetBlock
from vq_jax.training.compiled import compile_step
from vq_jax.training.setup import prepare

SIZE, IMAGES_A_CHIP, DTYPE = 256, 8, "bfloat16"
TOP = 20
FLOPS_A_CYCLE = {"v5e": 4 * 2 * 128**2, "v6e": 4 * 2 * 256**2}
"""Of the bfloat16 matrix units of a chip: 197 TFLOP/s at 1.5 GHz, 918 at 1.75 GHz."""


def _block(devices) -> jax.stages.Compiled:
    """Forward and backward of a block with MaskGIT's fields, on one of the chips."""
    block = ResnetBlock(128, use_bias=False, dtype=DTYPE)
    x = jax.ShapeDtypeStruct((IMAGES_A_CHIP, SIZE, SIZE, 128), DTYPE)
    params = jax.eval_shape(
        lambda key, x: block.init(key, x, train=False), jax.random.key(0), x
    )

    def gradients(params, x):
        def loss(params, x):
            y = block.apply(params, x, train=True)
            return jnp.mean(jnp.square(y.astype(jnp.float32)))

        return jax.grad(loss, argnums=(0, 1))(params, x)

    there = jax.sharding.SingleDeviceSharding(devices[0])
    return jax.jit(gradients, in_shardings=there).lower(params, x).compile()


def _step(make_config):
    def compile_for(devices) -> jax.stages.Compiled:
        config = make_config()
        with config.unlocked():
            drop_perceptual(config)
        config.model.dtype = DTYPE
        config.batch_size = IMAGES_A_CHIP * len(devices)
        return compile_step(prepare(config, devices))

    return compile_for


def _maskgit():
    return maskgit_tokenizer_imagenet256.get_config("vqvae")


def _maskgit_gan():
    config = maskgit_tokenizer_imagenet256.get_config()
    config.adversarial.r1_every = 1
    return config


def _vqgan_f16():
    return vqgan_imagenet256.get_config("vqvae")


def _vqgan_f16_without_attention():
    config = vqgan_imagenet256.get_config("vqvae")
    for section in (config.model.encoder, config.model.decoder):
        section.attention_resolutions = ()
        section.middle_attention = False
    return config


CASES = {
    "block": _block,
    "maskgit": _step(_maskgit),
    "maskgit_gan_r1": _step(_maskgit_gan),
    "vqgan_f16": _step(_vqgan_f16),
    "vqgan_f16_no_attention": _step(_vqgan_f16_without_attention),
}


def main() -> None:
    """Compiles the cases; prints them as tables and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--topology", nargs="+", default=["v5e:2x2"])
    args = parser.parse_args()
    origin = timing.origin("the compiler for TPU, estimates")
    rows = [measure(case, topology) for topology in args.topology for case in args.case]
    _print(rows, origin)
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure(case: str, topology: str) -> dict:
    """A case's cost a chip, cycles by kind, its dearest fusions."""
    devices = topologies.get_topology_desc(topology, platform="tpu").devices
    started = time.perf_counter()
    compiled = CASES[case](devices)
    seconds = time.perf_counter() - started
    fusions = hlo_cycles.fusions(compiled.as_text())
    cycles = sum(fusion.cycles for fusion in fusions)
    flops = compiled.cost_analysis()["flops"]
    temporaries = compiled.memory_analysis().temp_size_in_bytes
    peak = FLOPS_A_CYCLE[topology.split(":")[0]]
    return {
        "case": case,
        "topology": topology,
        "cycles_m": round(cycles / 1e6, 1),
        "tflop": round(flops / 1e12, 2),
        "share_of_peak": round(flops / cycles / peak, 3),
        "temporaries_gb": round(temporaries / 1e9, 2),
        "compile_s": round(seconds),
        "kinds_m": hlo_cycles.by_kind(fusions),
        "fusions": [fusion.as_row() for fusion in fusions[:TOP]],
    }


def _print(rows: list[dict], origin: dict) -> None:
    console = Console(width=160)
    title = f"{origin['device']}, jax {origin['jax']}, commit {origin['commit']}"
    columns = [name for name in rows[0] if name not in ("kinds_m", "fusions")]
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(str(row[name]) for name in columns))
    console.print(table)
    for row in rows:
        name = f"{row['case']}, {row['topology']}, million cycles"
        console.print(f"{name}: {row['kinds_m']}")
        table = Table("cycles", "kind", "result", "layer", title=name)
        for fusion in row["fusions"]:
            table.add_row(*(str(value) for value in fusion.values()))
        console.print(table)


if __name__ == "__main__":
    main()
