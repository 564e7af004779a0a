"""Options that XLA compiles programs of this project with."""

import functools
from collections.abc import Callable

import jax

# platform of a device -> what its compiler is told. All of them are experimental.
OPTIONS = {
    # XLA hands convolutions to a library that splits them over threads by output
    # channels, in parts so large that narrow layers run on one thread. With the library
    # for sums alone, they run on all threads (benchmarks/README.md).
    "cpu": {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"},
    # Where a chip has less than 8 images, XLA makes batches of parts of them, and
    # copies whole maps to and fro for that. And by default a fused layer of v5e has 16
    # of the 128 MiB of VMEM, next to the matrix units (benchmarks/README.md).
    "tpu": {
        "xla_tpu_run_space_to_batch": False,
        "xla_tpu_run_space_to_batch_on_new_platforms": False,
        "xla_tpu_scoped_vmem_limit_kib": 32 * 1024,
    },
}


def options(device: jax.Device) -> dict:
    """`compiler_options` of `jax.jit` and of `compile` for a device, if it has any.

    A release of XLA gets those that it knows. The device may be one of another process,
    or a described one.
    """
    if device.platform == jax.default_backend():
        device = jax.local_devices()[0]
    return dict(_known(device, tuple(OPTIONS.get(device.platform, {}).items())))


def jit(function: Callable, **options_of_jit) -> Callable:
    """`jax.jit` with the options for JAX's default devices."""
    chosen = options(jax.local_devices()[0])
    return jax.jit(function, compiler_options=chosen or None, **options_of_jit)


@functools.cache
def _known(
    device: jax.Device, chosen: tuple[tuple[str, bool | int | str], ...]
) -> dict:
    there = jax.sharding.SingleDeviceSharding(device)
    trial = jax.jit(lambda: 0, out_shardings=there).lower()
    known = {}
    for name, value in chosen:
        try:
            trial.compile(compiler_options={name: value})
        except jax.errors.JaxRuntimeError as error:
            if name not in str(error):
                raise
        else:
            known[name] = value
    return known
