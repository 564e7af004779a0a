"""Reads PyTorch's files without PyTorch, and runs none of the code they may hold."""

import collections
import io
import pickle
import zipfile

import numpy as np

from vq_jax.errors import InputError

MAGIC = 0x1950A86A20F9469CFC6C  # of the format before PyTorch 1.6
DTYPES = {
    "BoolStorage": "?",
    "ByteStorage": "u1",
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
}
# What unpickling raises where the bytes are damaged.
BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)


def read(content: bytes, where: str):
    """The dicts, lists and tensors of a file of `torch.save`, tensors as NumPy arrays.

    Both formats of such files can be read.

    Args:
        content: the bytes of the file.
        where: its name, for errors.

    Raises:
        InputError: it is no such file, or holds anything but tensors, of which nothing
            has run.
    """
    try:
        if zipfile.is_zipfile(io.BytesIO(content)):
            return _copied(_read_zip(content))
        return _copied(_read_legacy(content))
    except BROKEN as error:
        raise InputError(f"{where} is no file of PyTorch tensors: {error}") from error


class _TensorUnpickler(pickle.Unpickler):
    """Unpickles tensors and containers only.

    `storage(key, dtype, size)` returns the memory of tensors.
    """

    def __init__(self, file, storage):
        super().__init__(file)
        self._storage = storage

    def find_class(self, module, name):
        if module == "torch" and name in DTYPES:
            return np.dtype(DTYPES[name])
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name in _REBUILDERS:
            return _REBUILDERS[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not admitted")

    def persistent_load(self, pid):
        kind, dtype, key, _, size, *view = pid
        if kind != "storage" or any(view):
            raise pickle.UnpicklingError(f"{pid!r} is not admitted")
        return self._storage(key, dtype, size)


def _tensor(storage, offset, size, stride, *_):
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min((offset, *stride), default=0) < 0 or (
        0 not in size and last >= len(storage)
    ):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    strides = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)


_REBUILDERS = {
    "_rebuild_parameter": lambda data, *_: data,
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
}


def _read_zip(content: bytes):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (pickled,) = (n for n in archive.namelist() if n.endswith("/data.pkl"))
        folder = pickled.removesuffix("data.pkl")

        def storage(key, dtype, size):
            raw = archive.read(f"{folder}data/{key}")
            return np.frombuffer(raw, dtype, size)

        with archive.open(pickled) as file:
            return _TensorUnpickler(file, storage).load()


def _read_legacy(content: bytes):
    """Reads several pickles, then the storages, which tensors refer to by key."""
    file, storages = io.BytesIO(content), {}

    def storage(key, dtype, size):
        if key not in storages:
            if not 0 <= size * dtype.itemsize <= len(content):
                raise pickle.UnpicklingError("a storage is larger than the file")
            storages[key] = np.zeros(size, dtype)
        return storages[key]

    def load():
        return _TensorUnpickler(file, storage).load()

    if load() != MAGIC:
        raise pickle.UnpicklingError("it does not begin with PyTorch's number")
    load()  # version of the protocol
    load()  # sizes of the machine that wrote it
    found = load()
    for key in load():
        size = int(np.frombuffer(file.read(8), "<i8")[0])
        memory = storages[key]
        memory[:] = np.frombuffer(file.read(size * memory.itemsize), memory.dtype, size)
    return found


def _copied(found):
    """Copies of the tensors, which are views of shared memory."""
    if isinstance(found, dict):
        return {key: _copied(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_copied(value) for value in found]
    return np.array(found) if isinstance(found, np.ndarray) else found
