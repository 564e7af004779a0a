"""Did a change leave every number as it was? Twelve smoke runs, compared bit for bit.

    python benchmarks/same_bits.py before.json
    python benchmarks/same_bits.py after.json --against=before.json

The first command, at the commit before the change, trains twelve small models, one for
each kind of step, and writes the SHA-256 of every array of their last checkpoints and
of every metric that they recorded (but for "perf/…", which are times). The second, at
the commit after it, names all that is not the same, and exits with 1 then.
Bits are those of one machine with one version of JAX.
"""

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import jax
import numpy as np
import orbax.checkpoint as ocp
from rich.console import Console

VAE = "--config=configs/vqvae_photos.py:smoke"
GAN = "--config=configs/vqgan_stability.py:smoke"
EIGHT_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
AVERAGED = "--config.ema_decay=0.9"

# name -> flags of each command, in the order in which they run in one workdir
RUNS = {
    "vae_ema": [[VAE, AVERAGED]],
    "vae_gradient": [[f"{VAE},vq"]],
    "autoencoder": [[f"{VAE},none"]],
    "gaussian": [
        [f"{VAE},vq", "--config.model.head.name=gaussian", "--config.losses.kl=0.01"]
    ],
    "residual": [[f"{VAE},residual"]],
    "accumulation": [[VAE, "--config.optim.accumulation=2"]],
    "bfloat16": [[VAE, "--config.model.dtype=bfloat16"]],
    "fsdp": [
        [
            VAE,
            "--config.mesh.data=2",
            "--config.mesh.fsdp=4",
            "--config.model.encoder.hidden_dim=64",
            "--config.model.decoder.hidden_dim=64",
        ]
    ],
    "resumed": [[VAE, "--config.num_steps=10"], [VAE]],
    "gan": [
        [
            f"{GAN},vq_ema",
            AVERAGED,
            "--config.adversarial.r1_weight=0.1",
            "--config.adversarial.r1_every=3",
            "--config.adversarial.augment=('color', 'cutout')",
            "--config.optim.accumulation=2",
        ]
    ],
    "gan_updated_fakes": [[GAN, "--config.adversarial.fakes=updated"]],
    "warm_start": [[GAN, "--config.init_from={origin}"]],
}
CONSOLE = Console(highlight=False)
ORIGIN = [f"{GAN},vqvae"]  # the run that `warm_start` goes on from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path, help="the JSON file to write")
    parser.add_argument("--against", type=pathlib.Path, help="one from another commit")
    args = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        origin = pathlib.Path(folder) / "origin"
        _train(ORIGIN, origin, {})
        for name, commands in RUNS.items():
            workdir = pathlib.Path(folder) / name
            environment = EIGHT_DEVICES if name == "fsdp" else {}
            for flags in commands:
                flags = [flag.format(origin=origin) for flag in flags]
                _train([*flags, "--config.log_every=1"], workdir, environment)
            found[name] = {**_state_hashes(workdir), **_metric_hashes(workdir)}
            CONSOLE.print(f"{name:<20} {_sha(json.dumps(found[name]))[:16]}")
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    if args.against:
        sys.exit(_differences(json.loads(args.against.read_text()), found))


def _train(flags: list[str], workdir: pathlib.Path, environment: dict) -> None:
    command = [sys.executable, "train.py", *flags, f"--workdir={workdir}"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def _state_hashes(workdir: pathlib.Path) -> dict[str, str]:
    """Path of an array in the last checkpoint -> hash of its bits, shape and dtype."""
    steps = (workdir / "checkpoints").glob("[0-9]*")
    last = max(steps, key=lambda path: int(path.name)).resolve() / "state"
    handler = ocp.PyTreeCheckpointHandler()
    # To NumPy arrays, whatever the number of devices was.
    as_numpy = jax.tree.map(
        lambda _: ocp.RestoreArgs(restore_type=np.ndarray), handler.metadata(last).tree
    )
    state = handler.restore(last, args=ocp.args.PyTreeRestore(restore_args=as_numpy))
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): _sha(
            f"{np.shape(leaf)} {np.asarray(leaf).dtype} ".encode()
            + np.asarray(leaf).tobytes()
        )
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def _metric_hashes(workdir: pathlib.Path) -> dict[str, str]:
    """Name of a metric -> hash of its values over all steps."""
    values = {}
    for line in (workdir / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for name, value in record.items():
            if not name.startswith("perf/"):
                values.setdefault(name, []).append((record["step"], value))
    return {name: _sha(json.dumps(steps)) for name, steps in values.items()}


def _sha(data: bytes | str) -> str:
    data = data.encode() if isinstance(data, str) else data
    return hashlib.sha256(data).hexdigest()


def _differences(before: dict, after: dict) -> int:
    """Prints what is not the same; 1 where there is any, else 0."""
    lines = [
        f"{run}: {name} ({before[run].get(name, 'absent')[:8]} -> "
        f"{after.get(run, {}).get(name, 'absent')[:8]})"
        for run in before
        for name in sorted(before[run].keys() | after.get(run, {}).keys())
        if before[run].get(name) != after.get(run, {}).get(name)
    ]
    arrays = sum(map(len, before.values()))
    same = f"all {arrays} arrays and metrics have the same bits"
    CONSOLE.print("\n".join(lines) or same, soft_wrap=True)
    return int(bool(lines))


if __name__ == "__main__":
    main()
