"""Images from idx files, the format of MNIST and Fashion-MNIST."""

import gzip
import io
import math
import struct
import zlib

import numpy as np
from etils import epath
from jaxtyping import UInt8

from vq_jax.data import reading
from vq_jax.data.sources import slices
from vq_jax.data.sources.base import Record
from vq_jax.errors import InputError

PREFIXES = {"train": "train", "test": "t10k"}

# The last byte of the magic number is the number of axes, the one before it the type.
IMAGES, LABELS = 0x00000803, 0x00000801

# More than this times its size, in bytes, is not believed to be in a file (gzip packs
# MNIST to a fifth), unless it is little anyway, as equal labels are.
MAX_RATIO, ALWAYS_READ = 100, 1 << 24


class IdxSource:
    """The images of `train-images-idx3-ubyte[.gz]`, or for "test" of `t10k-…`.

    Images are [h, w, 1] and kept in memory. Names as `train-images.idx3-ubyte` are
    accepted too. Without a file of labels all labels are -1. A split may be a slice
    (`slices.cut`); its classes are those of the whole split.

    Raises:
        InputError: Unknown split, missing files, or files with another content.
    """

    def __init__(self, path: str, split: str):
        self.name, self.split, self.path = f"idx:{path}", split, path
        whole, start, stop = slices.cut(split)
        if whole not in PREFIXES:
            raise InputError(
                f"{self.name} has no split {split!r}; choose from {[*PREFIXES]}, or a"
                " slice such as 'train[:500]'."
            )
        folder = reading.open_folder(path)
        images = _find(folder, whole, "images-idx3-ubyte")
        labels = _find(folder, whole, "labels-idx1-ubyte")
        if images is None:
            raise InputError(
                f"config.data.source: no {PREFIXES[whole]}-images-idx3-ubyte[.gz] in"
                f" {path}. Debian's package dataset-fashion-mnist puts all of"
                " Fashion-MNIST into /usr/share/datasets/fashion-mnist."
            )
        self.images = read_idx(images, IMAGES)[..., None]
        self.labels = None if labels is None else read_idx(labels, LABELS)
        if labels is not None and len(self.labels) != len(self.images):
            raise InputError(
                f"{labels} has {len(self.labels)} labels for the {len(self.images)}"
                f" images of {images}; the two files do not belong together."
            )
        has_labels = labels is not None and len(self.labels)
        numbers = range(int(self.labels.max()) + 1 if has_labels else 0)
        self.classes = tuple(map(str, numbers))
        rows = slices.rows(start, stop, len(self.images), f"{self.name}/{whole}")
        self.images = self.images[rows]
        self.labels = self.labels[rows] if has_labels else None
        count, height, width, _ = self.images.shape
        self.description = (
            f"{self.name}/{split}: {count} grey images {height} x {width}"
        )
        self.fingerprint = self.description

    def __reduce__(self):
        # Workers read the files again, which is cheaper than to send 47 MB to them.
        return IdxSource, (self.path, self.split)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Record:
        name = f"{self.name}/{self.split}[{index}]"
        return Record(image=self.images[index], label=self.label(index), name=name)

    def label(self, index: int) -> int:
        return -1 if self.labels is None else int(self.labels[index])


def read_idx(path: epath.PathLike, magic: int) -> UInt8[np.ndarray, "..."]:
    """Reads an idx file of bytes, compressed by gzip or not.

    Raises:
        InputError: It can't be read, the magic number is not `magic`, or the header
            gives another size than the file has.
    """
    data = reading.read_file(epath.Path(path))
    zipped = data[:2] == b"\x1f\x8b"
    file = gzip.GzipFile(fileobj=io.BytesIO(data)) if zipped else io.BytesIO(data)
    try:
        shape = _read_header(file, path, magic)
        size = math.prod(shape)
        if not 0 < size <= max(MAX_RATIO * len(data), ALWAYS_READ):
            raise InputError(
                f"{path} has {len(data)} bytes, but its header says {shape}; download"
                " it again."
            )
        body = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is a broken gzip file ({error}).") from error
    if len(body) != size:
        found = f"only {len(body)}" if len(body) < size else "more"
        raise InputError(
            f"{path} has {found} bytes of data, but its header says {shape}; download"
            " it again."
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _read_header(file, path: epath.PathLike, magic: int) -> tuple[int, ...]:
    """The shape of what follows, any numbers."""
    num_axes = magic & 0xFF
    header = file.read(4 * (1 + num_axes))
    found = int.from_bytes(header[:4], "big")
    if found != magic or len(header) < 4 * (1 + num_axes):
        raise InputError(
            f"{path} starts with {header[:4].hex()!r}, not with the magic number"
            f" {magic:08x} of an idx{num_axes} file of bytes; download it again."
        )
    return struct.unpack(f">{num_axes}I", header[4:])


def _find(folder: epath.Path, split: str, suffix: str) -> epath.Path | None:
    dotted = suffix.replace("-idx", ".idx", 1)
    for name in (f"{PREFIXES[split]}-{suffix}", f"{PREFIXES[split]}-{dotted}"):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    return None
