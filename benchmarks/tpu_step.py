"""What a train step costs on TPU chips, by the TPU's compiler: no TPU is needed.

    pip install "jax[tpu]"
    python benchmarks/tpu_step.py [--case NAME ..] [--images=8] [--out=FILE]

Steps at 256 px, 8 images a chip, bfloat16, without perceptual loss, compiled for
described chips; a whole one takes minutes. `block` is one residual block of 128
channels at 256 px, forward and backward, the most expensive piece of these models;
`perceptual` is the loss that the steps leave out, in float32, with its gradient.

Cycles are the compiler's own estimates of each fusion, added; nobody has timed them.
`tflop` are those of a chip by the compiler's count; `model_tflop` those of the plain
forms of all layers, with repeated pixels, which the share of the peak is of.
"""

import argparse
import collections
import os
import pathlib
import sys
import time

from vq_jax.cli.plan import ENVIRONMENT

# Above the import of JAX.
os.environ.update(JAX_PLATFORMS="cpu", **ENVIRONMENT)

import jax
import jax.numpy as jnp
import timing
from rich.console import Console
from rich.table import Table

sys.path.append(str(pathlib.Path(__file__).parents[1]))  # for configs/

from configs import maskgit_tokenizer_imagenet256, vqgan_imagenet256
from configs.parts.losses import drop_perceptual
from vq_jax import compiler
from vq_jax.losses.objective import mean_lpips
from vq_jax.models.layers.resnet import ResnetBlock
from vq_jax.planning import cost, hlo
from vq_jax.planning.targets import open_target
from vq_jax.pretrained import nets
from vq_jax.pretrained.lpips import lpips_shapes
from vq_jax.training.compiled import compile_step
from vq_jax.training.setup import prepare

SIZE, DTYPE = 256, "bfloat16"
TOP = 20


def _block(devices, images: int) -> tuple[jax.stages.Compiled, float]:
    """Forward and backward of a block with MaskGIT's fields, on one of the chips."""
    block = ResnetBlock(128, use_bias=False, dtype=DTYPE)
    x = jax.ShapeDtypeStruct((images, SIZE, SIZE, 128), DTYPE)
    params = jax.eval_shape(
        lambda key, x: block.init(key, x, train=False), jax.random.key(0), x
    )

    def gradients(params, x):
        def loss(params, x):
            y = block.apply(params, x, train=True)
            return jnp.mean(jnp.square(y.astype(jnp.float32)))

        return jax.grad(loss, argnums=(0, 1))(params, x)

    return _on_one(devices[0], gradients, params, x)


def _perceptual(devices, images: int) -> tuple[jax.stages.Compiled, float]:
    """LPIPS of reconstructions and its gradient, on one of the chips."""
    pair = 2 * [jax.ShapeDtypeStruct((images, SIZE, SIZE, 3), DTYPE)]

    def loss(recon, images, params):
        return mean_lpips("vgg16", params, recon, images)

    params = lpips_shapes("vgg16")
    return _on_one(devices[0], jax.value_and_grad(loss), *pair, params)


def _on_one(device, function, *shapes) -> tuple[jax.stages.Compiled, float]:
    there = jax.sharding.SingleDeviceSharding(device)
    lowered = jax.jit(function, in_shardings=there).lower(*shapes)
    compiled = lowered.compile(compiler_options=compiler.options(device))
    return compiled, _plain_flops(function, *shapes)


def _step(make_config):
    def compile_for(devices, images: int) -> tuple[jax.stages.Compiled, float]:
        config = make_config()
        with config.unlocked():
            drop_perceptual(config)
        config.model.dtype = DTYPE
        config.batch_size = images
        flops = _plain_flops_of_step(prepare(config, jax.devices("cpu")[:1]))
        config.batch_size = images * len(devices)
        return compile_step(prepare(config, devices)), flops

    return compile_for


def _plain_flops_of_step(setup) -> float:
    task, key = setup.task, jax.eval_shape(lambda: jax.random.key(0))
    state, batch = setup.abstract_state, task.abstract_batch
    return _plain_flops(task.step, state, batch, key, nets.shapes(task.nets))


def _plain_flops(function, *shapes) -> float:
    """As lowered where no layer has a form of its own, before any compilation."""
    lowered = jax.jit(function).trace(*shapes).lower(lowering_platforms=("cuda",))
    return lowered.cost_analysis()["flops"]


def _maskgit():
    return maskgit_tokenizer_imagenet256.get_config("vqvae")


def _maskgit_remat():
    config = _maskgit()
    with config.unlocked():
        for section in (config.model.encoder, config.model.decoder):
            section.remat_resolutions = (256,)
    return config


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
    "perceptual": _perceptual,
    "maskgit": _step(_maskgit),
    "maskgit_remat": _step(_maskgit_remat),
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
    parser.add_argument("--images", type=int, default=8, help="a chip")
    args = parser.parse_args()
    origin = timing.origin("the compiler for TPU, estimates")
    rows = [
        measure(case, topology, args.images)
        for topology in args.topology
        for case in args.case
    ]
    _print(rows, origin)
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure(case: str, topology: str, images: int) -> dict:
    """A case's cost a chip, cycles by kind, its dearest fusions."""
    target = open_target("tpu", topology)
    started = time.perf_counter()
    compiled, plain_flops = CASES[case](target.devices, images)
    seconds = time.perf_counter() - started
    program = hlo.parse(compiled.as_text())
    cycles = cost.cycles(program)
    flops = compiled.cost_analysis()["flops"]
    temporaries = compiled.memory_analysis().temp_size_in_bytes
    peak = cycles / target.chip.clock * target.chip.flops_per_second
    dear = cost.dearest(program, sum(1 for _ in cost.executed(program)))
    return {
        "case": case,
        "topology": topology,
        "images": images,
        "cycles_m": _millions(cycles),
        "tflop": round(flops / 1e12, 2),
        "model_tflop": round(plain_flops / 1e12, 2),
        "share_of_peak": round(plain_flops / peak, 3),
        "temporaries_gb": round(temporaries / 1e9, 2),
        "compile_s": round(seconds),
        "kinds_m": _by_kind(dear),
        "dearest": [
            {
                "cycles_m": _millions(one.cycles or 0),
                "layer": one.layer,
                "pass": one.direction,
                "operation": one.operation,
                "result": one.shape,
            }
            for one in dear[:TOP]
        ],
    }


def _by_kind(dear: list[cost.Dear]) -> dict[str, float]:
    """Million cycles of each operation, forward and backward; the dearest first."""
    sums = collections.Counter()
    for one in dear:
        sums[f"{one.direction} {one.operation}"] += one.cycles or 0
    return {kind: _millions(total) for kind, total in sums.most_common(TOP)}


def _millions(cycles: int) -> float:
    return round(cycles / 1e6, 2)


def _print(rows: list[dict], origin: dict) -> None:
    console = Console(width=160)
    title = timing.title(origin)
    columns = [name for name in rows[0] if name not in ("kinds_m", "dearest")]
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(str(row[name]) for name in columns))
    console.print(table)
    for row in rows:
        name = f"{row['case']}, {row['topology']}, million cycles"
        console.print(f"{name}: {row['kinds_m']}")
        table = Table(*row["dearest"][0], title=name)
        for one in row["dearest"]:
            table.add_row(*map(str, one.values()))
        console.print(table)


if __name__ == "__main__":
    main()
