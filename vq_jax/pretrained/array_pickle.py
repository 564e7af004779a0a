"""Reads pickles of NumPy arrays, and runs none of the code that a pickle may hold."""

import io
import pickle

import numpy as np

from vq_jax.errors import InputError
from vq_jax.pretrained import plain_pickle

DTYPES = {"f2", "f4", "f8", "i4", "i8", "u1"}


def read(content: bytes, where: str) -> dict:
    """The nested dicts of arrays in a pickle of protocol 3; arrays are read-only.

    Args:
        content: the bytes of the file.
        where: its name, for errors.

    Raises:
        InputError: it holds anything else, of which nothing has run.
    """
    try:
        found = plain_pickle.load(io.BytesIO(content), ADMITTED)
        return plain_pickle.arrays(found, _array)
    except plain_pickle.BROKEN as error:
        raise InputError(
            f"{where} is no file of NumPy arrays: {error!s:.200}. Download it again."
        ) from error


class _Dtype:
    def __init__(self, name, *_):
        if not isinstance(name, str) or name not in DTYPES:
            raise pickle.UnpicklingError("a dtype is not admitted")
        self.name = name

    def build(self, state) -> None:
        if state[1] not in ("<", "|"):
            raise pickle.UnpicklingError("a byte order is not admitted")


class _Array:
    """Becomes an array in `build`, as `numpy.ndarray` does."""

    array = None

    def __init__(self, *_):
        pass

    def build(self, state) -> None:
        _, shape, dtype, fortran_order, data = state
        values = np.frombuffer(data, f"<{dtype.name}")
        self.array = values.reshape(shape, order="F" if fortran_order else "C")


def _array(leaf) -> np.ndarray:
    if not isinstance(leaf, _Array) or leaf.array is None:
        raise pickle.UnpicklingError("it holds other things than arrays")
    return leaf.array


ADMITTED = {
    "numpy dtype": _Dtype,
    "numpy ndarray": None,
    "numpy.core.multiarray _reconstruct": _Array,
    "numpy._core.multiarray _reconstruct": _Array,
}
