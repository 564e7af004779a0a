"""Options that XLA compiles programs of this project with."""

import functools
from collections.abc import Callable

import jax

# On CPUs XLA hands convolutions to a library that splits them over threads by output
# channels, in parts so large that narrow layers run on one thread. With the library for
# sums alone, they run on all threads (benchmarks/README.md).
CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}


def options(platform: str) -> dict[str, str]:
    """`compiler_options` of `jax.jit` and of `compile` for "cpu", "gpu", "tpu", …."""
    return _known_cpu_options() if platform == "cpu" else {}


def jit(function: Callable, **options_of_jit) -> Callable:
    """`jax.jit` with the options for JAX's default devices."""
    chosen = options(jax.default_backend())
    return jax.jit(function, compiler_options=chosen or None, **options_of_jit)


@functools.cache
def _known_cpu_options() -> dict[str, str]:
    """Those for CPUs, if this release of XLA has them: they are experimental."""
    try:
        jax.jit(lambda: 0).lower().compile(compiler_options=CPU_OPTIONS)
    except jax.errors.JaxRuntimeError:
        return {}
    return CPU_OPTIONS
