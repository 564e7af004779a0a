"""What a run says of itself before its first step."""

import platform

import flax
import jax

import vq_jax
from vq_jax.training.setup import Setup


def describe(setup: Setup, compiled, *, workdir, start_step: int) -> dict[str, str]:
    """Title -> text: versions, devices, models, cost of a step, data."""
    config, devices = setup.task.config, jax.devices()
    return {
        "vq_jax": f"{vq_jax.__version__}, jax {jax.__version__}, "
        f"flax {flax.__version__}, Python {platform.python_version()}",
        "devices": f"{len(devices)} x {devices[0].device_kind}, "
        f"{jax.process_count()} process(es), mesh {dict(setup.mesh.shape)}",
        **setup.task.describe(setup.abstract_state),
        "step": f"batch {config.batch_size} · {_cost(compiled)}",
        "data": setup.task.describe_data(),
        "steps": f"{start_step} -> {config.num_steps}, seed {config.seed}",
        "workdir": str(workdir),
    }


def _cost(compiled) -> str:
    """Flops and memory a device, as the compiler counts them."""
    cost = compiled.cost_analysis() or {}
    memory = compiled.memory_analysis()
    parts = []
    if "flops" in cost:
        parts.append(f"{cost['flops'] / 1e9:.2f} GFLOP")
    if memory is not None:
        held = memory.argument_size_in_bytes + memory.temp_size_in_bytes
        parts.append(f"{held / 2**20:.0f} MiB")
    return " and ".join(parts) + " a device (compiler's count)"
