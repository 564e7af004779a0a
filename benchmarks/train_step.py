"""A train step of VQGAN, ours against PyTorch's, in the same minutes on the same cores.

    python benchmarks/train_step.py [--peer=diffusers] [--out=FILE.json]

The peer is a restatement of the original's architecture (`peers/torch_vqgan.py`), or
diffusers' VQModel of the same sizes, which has no discriminator. The processes of both
take turns (`turns.py`). Needs the extra [parity].
"""

import argparse
import sys

import timing
import turns
from gpu import models
from rich.console import Console
from rich.table import Table

# peer -> the steps that it has
PEERS = {"vqgan": ("vae", "gan"), "diffusers": ("vae",)}
SIZES = {
    "resolution": 64,
    "base_dim": 64,
    "multipliers": (1, 2, 2),
    "num_res_blocks": 1,
    "attention_resolution": 16,
    "code_dim": 128,
    "codebook_size": 1_024,
}


def main() -> None:
    """Measures both steps; prints them as a table and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="a JSON file to write")
    parser.add_argument("--device", default="", help="what to call the device")
    parser.add_argument("--peer", choices=PEERS, default="vqgan")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--num_steps", type=int, default=20, help="timed steps each")
    parser.add_argument("--worker", nargs=2, metavar=("FRAMEWORK", "STEP"))
    args = parser.parse_args()
    if args.worker:
        framework, step = args.worker
        images = models.images(SIZES, args.batch_size)
        if framework == "ours":
            turns.serve(lambda: _ours(step, images))
        else:
            turns.serve(lambda: _theirs(step, images, args.peer))
        return
    rows = [measure(step, args) for step in PEERS[args.peer]]
    origin = {
        **timing.origin(args.device),
        **SIZES,
        "peer": args.peer,
        "batch_size": args.batch_size,
        "num_steps": args.num_steps,
    }
    Console(width=100).print(_table(rows, origin))
    if args.out:
        timing.write_json(args.out, {**origin, "rows": rows})


def measure(step: str, args: argparse.Namespace) -> dict:
    """Of one kind of step: both frameworks' times and memory, and their ratios."""
    options = [f"--batch_size={args.batch_size}", f"--peer={args.peer}"]
    command = [sys.executable, __file__, *options, "--worker"]
    commands = {name: [*command, name, step] for name in turns.FRAMEWORKS}
    return {"step": step, **turns.compare(commands, args.num_steps)}


def _ours(step: str, images):
    """`(step(), resident MiB after the imports)`."""
    import jax

    from vq_jax.training.compiled import compile_step
    from vq_jax.training.setup import prepare

    base = turns.resident()
    config = models.config(
        SIZES, adversarial=step == "gan", batch_size=len(images), dtype="float32"
    )
    setup = prepare(config)
    state = jax.jit(setup.task.init)(jax.random.key(0))
    compiled = compile_step(setup)
    batch, key = {"image": jax.device_put(images)}, jax.random.key(1)

    def take():
        nonlocal state
        state, metrics = compiled(state, batch, key, {})
        jax.block_until_ready((state, metrics))

    return take, base


def _theirs(step: str, images, peer: str):
    """`(step(), resident MiB after the imports)`."""
    import torch
    from peers import torch_vqgan

    if peer == "diffusers":
        from peers import diffusers_vqmodel as module
    else:
        module = torch_vqgan
    base = turns.resident()
    model = module.Autoencoder(torch_vqgan.Sizes(**SIZES))
    update = (
        torch_vqgan.VaeStep(model)
        if step == "vae"
        else torch_vqgan.GanStep(model, torch_vqgan.discriminator())
    )
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return lambda: update(batch), base


def _table(rows: list[dict], origin: dict) -> Table:
    title = timing.title(origin)
    headings = ("step", "ours ms", "theirs ms", "ratio", "MiB", "ratio")
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        both = [row["ours"], row["theirs"]]
        table.add_row(
            row["step"],
            *(f"{r['median_ms']:.0f} ({r['iqr_ms']:.0f})" for r in both),
            f"{row['ratio']:.2f}",
            " / ".join(f"{r['peak_mib']}" for r in both),
            f"{row['memory_ratio']:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
