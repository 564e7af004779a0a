"""Keeps compiled programs in the user's cache, so that the next start is a quick one.

JAX looks for a program by what it computes, by its options and by the versions of JAX
and of the backend. A program for a CPU is one for its instructions, too, which JAX does
not ask for: where hosts share a home, those of one kind have a folder of their own.
"""

import hashlib
import os
import pathlib
import platform

from vq_jax.cli import exits
from vq_jax.errors import InputError

CPU_INFO = pathlib.Path("/proc/cpuinfo")
# The lines that say which instructions there are, on x86 and on ARM.
KINDS = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
KINDS += ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features")


def keep() -> None:
    """Lets JAX keep what it compiles, unless the user has told it where, or not to.

    `JAX_COMPILATION_CACHE_DIR` names another folder, or none if it is empty;
    `JAX_ENABLE_COMPILATION_CACHE=0` keeps nothing. A folder that cannot be used is no
    error: a line says so, and programs are compiled anew.
    """
    import jax

    from vq_jax.pretrained import cache

    told = jax.config.jax_compilation_cache_dir is not None
    if told or not jax.config.jax_enable_compilation_cache:
        return
    try:
        folder = cache.folder() / "compiled" / machine()
        folder.mkdir(parents=True, exist_ok=True)
        problem = _problem(os.fspath(folder))
    except (InputError, OSError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        exits.console(stderr=True).print(
            f"compiled programs are not kept: {problem} JAX_COMPILATION_CACHE_DIR "
            "names a folder for them.",
            soft_wrap=True,
        )
        return
    jax.config.update("jax_compilation_cache_dir", os.fspath(folder))


def machine() -> str:
    """A name for all machines that run each other's programs."""
    try:
        first, *_ = CPU_INFO.read_text().split("\n\n")
    except OSError:  # not Linux
        first = f"model name: {platform.processor()} {platform.node()}"
    lines = [line.partition(":") for line in first.splitlines()]
    kind = sorted(
        (name.strip(), " ".join(sorted(value.split())))
        for name, _, value in lines
        if name.strip() in KINDS
    )
    digest = hashlib.sha256(repr(kind).encode()).hexdigest()
    return f"{platform.machine()}-{digest[:12]}"


def _problem(folder: str) -> str:
    """Why programs cannot be kept in a folder; "" if they can.

    Whoever may write there may have this process run anything.
    """
    if "://" in folder:
        return ""
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written to."
    if os.stat(folder).st_uid != os.getuid():
        return f"{folder} belongs to another user."
    return ""
