"""A cache of converted weights: safetensors files, checked when they are read."""

import contextlib
import hashlib
import os
from collections.abc import Mapping

import numpy as np
from etils import epath
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vq_jax.errors import InputError

VARIABLE = "VQ_JAX_CACHE"


def folder() -> epath.Path:
    """The cache's folder: `$VQ_JAX_CACHE`, or ~/.cache/vq_jax.

    Raises:
        InputError: the user has no home, as in some containers.
    """
    path = os.path.expanduser(os.environ.get(VARIABLE) or "~/.cache/vq_jax")
    if path.startswith("~"):
        raise InputError(f"{path} is nobody's home; name a folder in {VARIABLE}.")
    return epath.Path(path)


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """sha256 of the arrays' names, dtypes, shapes and values.

    It depends neither on their order nor on the file format.
    """
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def read(name: str, sha256: str) -> dict[str, np.ndarray] | None:
    """The arrays of the file `name`; None if it is missing, unreadable or another."""
    try:
        arrays = load((folder() / f"{name}.safetensors").read_bytes())
    except (OSError, SafetensorError, KeyError, ValueError):
        # Of a dtype that NumPy lacks or a shape too large for it the package says so.
        return None
    return arrays if digest(arrays) == sha256 else None


def write(name: str, arrays: Mapping[str, np.ndarray]) -> epath.Path:
    """Writes the file `name` completely or not at all, and returns its path.

    Several processes may do so at once.

    Raises:
        InputError: there is no folder, or it cannot be written to.
    """
    path = folder() / f"{name}.safetensors"
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    content = save({k: np.ascontiguousarray(v) for k, v in arrays.items()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        return draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise InputError(
            f"the cache {folder()} cannot be written to ({error.strerror}); make room "
            f"there, or name another folder in {VARIABLE}."
        ) from error
