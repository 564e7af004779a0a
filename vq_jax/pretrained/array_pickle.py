"""Pickles of NumPy arrays, without the code that a pickle may carry."""

import io
import pickle

import numpy as np

# (module, name) as pickled -> what it may become
ADMITTED = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(
                f"{module}.{name} is not admitted: this file is to hold arrays only."
            )
        return ADMITTED[module, name]


def loads(content: bytes):
    """The pickled dicts, lists and arrays.

    Raises:
        pickle.UnpicklingError: there is anything else; none of it has run.
    """
    return _ArrayUnpickler(io.BytesIO(content)).load()
