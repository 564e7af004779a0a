"""Memory: does a state fit into what there is, and what compiling leaves behind."""

import contextlib
import ctypes
import functools
import math
import os

import jax

from vq_jax.errors import InputError

GIB = 2**30


def check_fits(abstract_state) -> None:
    """Raises InputError where the arrays of a state need more memory than there is.

    Only what is sure to fail is refused: a step needs more than the state, by an amount
    that only the compiler knows.

    Args:
        abstract_state: shapes, dtypes and shardings of the state.
    """
    arrays = jax.tree_util.tree_leaves_with_path(abstract_state)
    name = functools.partial(jax.tree_util.keystr, simple=True, separator=".")
    sizes = {name(path): _bytes_of(leaf) for path, leaf in arrays}
    needed, there = sum(sizes.values()), _bytes_for_a_device()
    if needed > there:
        largest = max(sizes, key=sizes.get)
        raise InputError(
            f"parameters, codebook and optimizer need {needed / GIB:,.1f} GiB on every "
            f"device, which has {there / GIB:,.1f}; {largest} alone has "
            f"{sizes[largest] / GIB:,.1f}. Make config.model smaller, or raise "
            "config.mesh.fsdp."
        )


def return_freed() -> None:
    """Hands what was freed back to the operating system, where the C library can.

    Compiling a step leaves hundreds of MiB with glibc, which keeps them for later.
    """
    with contextlib.suppress(OSError, AttributeError):  # another library
        ctypes.CDLL(None).malloc_trim(0)


def _bytes_of(leaf: jax.ShapeDtypeStruct) -> int:
    """Of the part of an array that lies on one device."""
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize


def _bytes_for_a_device() -> float:
    """Memory of an accelerator; of a CPU's simulated devices, their share of it."""
    devices = jax.local_devices()
    if devices[0].platform == "cpu":
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return total / len(devices)
    statistics = devices[0].memory_stats() or {}
    return statistics.get("bytes_limit", math.inf)
