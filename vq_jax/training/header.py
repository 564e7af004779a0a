"""What a run says of itself before its first step."""

import platform

import flax
import jax
from ml_collections import ConfigDict

import vq_jax
from vq_jax.data import pipeline
from vq_jax.training.setup import Setup


def describe(
    setup: Setup, config: ConfigDict, workdir, compiled, start_step: int
) -> dict[str, str]:
    """Title -> text: devices, model, cost of a step, data."""
    state = setup.abstract_state
    generator = state.generator if setup.discriminator else state
    devices = jax.devices()
    factor = setup.model.downsampling_factor
    size = config.data.image_size
    tokens = "x".join(map(str, setup.model.tokens_shape(size, size)))
    return {
        "vq_jax": f"{vq_jax.__version__}, jax {jax.__version__}, "
        f"flax {flax.__version__}, Python {platform.python_version()}",
        "devices": f"{len(devices)} x {devices[0].device_kind}, "
        f"{jax.process_count()} process(es), mesh {dict(setup.mesh.shape)}",
        "model": f"{_count(generator.params):,} parameters, stride {factor}, "
        f"{tokens} codes of {setup.model.quantizer.codebook_size}",
        **_opponent(setup, config),
        "step": f"batch {config.batch_size} · {_cost(compiled)}",
        "data": pipeline.describe(config.data),
        "steps": f"{start_step} -> {config.num_steps}, seed {config.seed}",
        "workdir": str(workdir),
    }


def _opponent(setup: Setup, config: ConfigDict) -> dict[str, str]:
    if setup.discriminator is None:
        return {}
    game = config.adversarial
    parameters = _count(setup.abstract_state.discriminator.params)
    return {
        "discriminator": f"{config.discriminator.name}, {parameters:,} parameters, "
        f"learns from step {game.disc_start}, is heard from step {game.gen_start}"
    }


def _count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


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
