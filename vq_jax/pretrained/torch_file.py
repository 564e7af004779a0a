"""Reads PyTorch's files without PyTorch, and runs none of the code they may hold."""

import dataclasses
import io
import math
import pickle
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

from vq_jax.errors import InputError
from vq_jax.pretrained import plain_pickle

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
ENCRYPTED = 1  # bit of a zip member's flags
BROKEN = (
    *plain_pickle.BROKEN,
    NotImplementedError,
    struct.error,
    zipfile.BadZipFile,
)


def read(content: bytes, where: str) -> dict:
    """The nested dicts of tensors in a file of `torch.save`.

    Tensors are read-only NumPy arrays, which share memory where they did in PyTorch.
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
            return _read_zip(content)
        return _read_legacy(content)
    except BROKEN as error:
        raise InputError(
            f"{where} is no file of PyTorch tensors: {error!s:.200}. Download it again."
        ) from error


@dataclasses.dataclass(frozen=True)
class _Storage:
    """Memory that tensors share; the file has its `size` numbers elsewhere."""

    key: str
    dtype: np.dtype
    size: int

    @property
    def num_bytes(self) -> int:
        return self.size * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A view of a storage, measured in numbers."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def array(self, memory: bytes) -> np.ndarray:
        itemsize = self.storage.dtype.itemsize
        strides = tuple(step * itemsize for step in self.stride)
        offset = self.offset * itemsize
        return np.ndarray(self.size, self.storage.dtype, memory, offset, strides)


class _Reader:
    """Interprets the pickles of a file, and remembers which storages they name."""

    def __init__(self):
        self.storages: dict[str, _Storage] = {}

    def load(self, file):
        return plain_pickle.load(file, ADMITTED, self._named)

    def _named(self, kind, dtype, key, location, size, view=None) -> _Storage:
        del location  # a device
        plain = isinstance(dtype, np.dtype) and isinstance(key, str)
        if kind != "storage" or not plain or not _are_lengths(size) or view is not None:
            raise pickle.UnpicklingError("a storage is not admitted")
        storage = _Storage(key, dtype, size)
        if self.storages.setdefault(key, storage) != storage:
            raise pickle.UnpicklingError("a storage is of two kinds")
        return storage

    def storage(self, key) -> _Storage:
        if not isinstance(key, str) or key not in self.storages:
            raise pickle.UnpicklingError("there is data of no storage")
        return self.storages[key]

    def tensors(self, found, memory: Mapping[str, bytes]) -> dict:
        """`found` with arrays in the place of tensors."""
        for key, storage in self.storages.items():
            if key not in memory or len(memory[key]) != storage.num_bytes:
                raise pickle.UnpicklingError("a storage lacks its data")

        def array(leaf) -> np.ndarray:
            if not isinstance(leaf, _Tensor):
                raise pickle.UnpicklingError("it holds other things than tensors")
            return leaf.array(memory[leaf.storage.key])

        return plain_pickle.arrays(found, array)


def _read_zip(content: bytes) -> dict:
    reader = _Reader()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        _check_members(archive.infolist(), len(content))
        pickled = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickled) != 1:
            raise pickle.UnpicklingError("it has not one member data.pkl")
        folder = pickled[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise pickle.UnpicklingError("its numbers are not little-endian")
        found = reader.load(io.BytesIO(archive.read(pickled[0])))
        memory = {key: archive.read(f"{folder}data/{key}") for key in reader.storages}
    return reader.tensors(found, memory)


def _check_members(members: list[zipfile.ZipInfo], num_bytes: int) -> None:
    """Refuses what PyTorch does not write, and what would not fit into the file."""
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & ENCRYPTED:
            raise pickle.UnpicklingError("a member is compressed or encrypted")
    if sum(member.file_size for member in members) > num_bytes:
        raise pickle.UnpicklingError("its members are larger than itself")


def _read_legacy(content: bytes) -> dict:
    """Reads several pickles, then the storages, which tensors refer to by key."""
    file, reader, memory = io.BytesIO(content), _Reader(), {}
    if reader.load(file) != MAGIC:
        raise pickle.UnpicklingError("it does not begin with PyTorch's number")
    reader.load(file)  # version of the protocol
    reader.load(file)  # sizes of the machine that wrote it
    found = reader.load(file)
    for key in reader.load(file):
        storage = reader.storage(key)
        if file.read(8) != struct.pack("<q", storage.size):
            raise pickle.UnpicklingError("a storage is of two sizes")
        memory[key] = file.read(storage.num_bytes)
    return reader.tensors(found, memory)


def _tensor(storage, offset, size, stride, *_) -> _Tensor:
    if not isinstance(storage, _Storage) or not _are_lengths(offset, *size, *stride):
        raise pickle.UnpicklingError("a tensor is not admitted")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and max(last + 1, math.prod(size)) > storage.size:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return _Tensor(storage, offset, size, stride)


def _are_lengths(*values) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


ADMITTED = {
    "collections OrderedDict": plain_pickle.OrderedDict,
    "torch._utils _rebuild_parameter": lambda data, *_: data,
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
    **{f"torch {name}": np.dtype(dtype) for name, dtype in DTYPES.items()},
}
