"""The chips that steps are planned for: one table, with its sources."""

import dataclasses

from vq_jax.errors import InputError

GIB = 2.0**30


@dataclasses.dataclass(frozen=True)
class Chip:
    """What a chip has; None where it is not known.

    Attributes:
        name: as messages and tables call it.
        hbm_bytes: memory.
        flops_per_second: peak of products in bfloat16.
        bytes_per_second: to and from that memory.
        link_bytes_per_second: to and from other chips, both directions together.
        clock: cycles a second of the compiler's model.
        options: what the compiler has to be told, so that a chip is one device.
        example: a topology, for messages.
    """

    name: str
    hbm_bytes: float
    flops_per_second: float | None = None
    bytes_per_second: float | None = None
    link_bytes_per_second: float | None = None
    clock: float | None = None
    options: tuple[tuple[str, str], ...] = ()
    example: str = ""


# The two TensorCores of a chip as one device, as JAX has them on such machines.
ONE_DEVICE = (("chip_config_name", "megacore"),)

# Peaks, memories and bandwidths: docs.cloud.google.com/tpu/docs/v4, v5e, v5p-training,
# v6e, as of November 2026. v4's links are not there: six of 50 GB/s. The "GB" of
# memories are GiB: jax/_src/pallas/mosaic/tpu_info.py of JAX 0.10.2 has 17.2e9 bytes
# for v5e.
# Clocks are in no table. They follow from the peak and from the multiply-adds that the
# matrix units finish in a cycle: four of 128 x 128 on v5e, eight on v4 and v5p; v6e's
# peak goes with four of 256 x 256. So a step of nothing but products that fill them is
# one of 100 % of the peak. The compiler's estimate for bfloat16 [8192, 8192] @ [8192,
# 8192] is 88 % of it on v5e, 93 % on v4, 90 % on v5p, 70 % on v6e.
CHIPS = {
    "v4": Chip(
        "TPU v4", 32 * GIB, 275e12, 1.200e12, 300e9, 1.05e9, ONE_DEVICE, "v4:4x4x4"
    ),
    "v5e": Chip("TPU v5e", 16 * GIB, 197e12, 0.819e12, 400e9, 1.50e9, (), "v5e:16x16"),
    "v5p": Chip(
        "TPU v5p", 95 * GIB, 459e12, 2.765e12, 1200e9, 1.75e9, ONE_DEVICE, "v5p:4x4x4"
    ),
    "v6e": Chip("TPU v6e", 32 * GIB, 918e12, 1.638e12, 800e9, 1.75e9, (), "v6e:16x16"),
}


def chip_of(topology: str) -> Chip:
    """The chip of a topology such as "v5e:16x16".

    Raises:
        InputError: there is no such chip, or the shape is missing.
    """
    name, colon, shape = topology.partition(":")
    if name not in CHIPS or not colon or not shape:
        examples = ", ".join(chip.example for chip in CHIPS.values())
        raise InputError(
            f"--topology={topology} is unknown; name a chip of {sorted(CHIPS)} and the "
            f"shape of its slice, as {examples}."
        )
    return CHIPS[name]
