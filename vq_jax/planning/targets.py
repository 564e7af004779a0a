"""The chips that a step is compiled for: described TPUs, or what this machine has."""

import dataclasses
import importlib.util
import math
import os
from collections.abc import Sequence

import jax
from jax.experimental import topologies

from vq_jax.errors import InputError
from vq_jax.planning.chips import CHIPS, Chip, chip_of

PLATFORMS = ("tpu", "cuda", "cpu")
INSTALL = 'pip install "vq_jax[tpu]"'


@dataclasses.dataclass(frozen=True)
class Target:
    """What to compile for.

    Attributes:
        name: the topology, or the platform.
        devices: one a chip; those of a topology are descriptions.
        chip: what each is.
    """

    name: str
    devices: Sequence[jax.Device]
    chip: Chip


def open_target(platform: str, topology: str) -> Target:
    """The chips of a platform.

    Args:
        platform: one of PLATFORMS.
        topology: of TPUs, as "v5e:16x16"; "" for others, which are those there are.

    Raises:
        InputError: there are none, or what describes them is not installed.
    """
    if platform == "tpu":
        return _tpu(topology)
    if topology:
        raise InputError(
            f"--topology={topology} describes TPUs; --platform={platform} takes the "
            "devices of this machine, so leave it out."
        )
    return _cpu() if platform == "cpu" else _cuda()


def _tpu(topology: str) -> Target:
    if not topology:
        examples = ", ".join(chip.example for chip in CHIPS.values())
        raise InputError(f"--topology is missing; name a slice of TPUs, as {examples}.")
    chip = chip_of(topology)
    if importlib.util.find_spec("libtpu") is None:
        raise InputError(
            "--platform=tpu compiles with libtpu, which is not installed; it needs no "
            f"TPU: {INSTALL}. --platform=cpu does without."
        )
    options: dict = dict(chip.options)
    if set(topology.partition(":")[2].split("x")) == {"1"}:
        options["chips_per_host_bounds"] = (1, 1, 1)  # by default a host has more
    try:
        described = topologies.get_topology_desc(topology, platform="tpu", **options)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"--topology={topology} is no slice that libtpu knows ({reason}); "
            f"{chip.name} has such as {chip.example}."
        ) from error
    return Target(topology, described.devices, chip)


def _cpu() -> Target:
    devices = jax.devices("cpu")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / len(devices)
    return Target("cpu", devices, Chip("CPU of this machine", memory))


def _cuda() -> Target:
    try:
        devices = jax.devices("cuda")
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            "--platform=cuda: JAX compiles for an NVIDIA GPU only where one is, and "
            f"finds none here ({reason}). Run the command on a machine with one, after "
            'pip install "jax[cuda12]"; --platform=cpu counts flops and bytes without.'
        ) from error
    memory = (devices[0].memory_stats() or {}).get("bytes_limit", math.inf)
    return Target("cuda", devices, Chip(devices[0].device_kind, memory))
