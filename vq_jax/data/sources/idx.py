"""Images from idx files, the format of MNIST and Fashion-MNIST."""

import gzip

import numpy as np
from etils import epath
from jaxtyping import UInt8

from vq_jax.data.sources.base import Record
from vq_jax.errors import InputError

PREFIXES = {"train": "train", "test": "t10k"}

# The last byte of the magic number is the number of axes, the one before it the type.
IMAGES, LABELS = 0x00000803, 0x00000801


class IdxSource:
    """The images of `train-images-idx3-ubyte[.gz]`, or for "test" of `t10k-…`.

    Images are [h, w, 1] and kept in memory. Names as `train-images.idx3-ubyte` are
    accepted too. Without a file of labels all labels are -1.

    Raises:
        InputError: Unknown split, missing files, or files with another content.
    """

    classes = ()

    def __init__(self, path: str, split: str):
        self.name, self.split, self.path = f"idx:{path}", split, path
        if split not in PREFIXES:
            raise InputError(
                f"{self.name} has no split {split!r}; choose from {[*PREFIXES]}."
            )
        images = _find(epath.Path(path).expanduser(), split, "images-idx3-ubyte")
        labels = _find(epath.Path(path).expanduser(), split, "labels-idx1-ubyte")
        if images is None:
            raise InputError(
                f"config.data.source: no {PREFIXES[split]}-images-idx3-ubyte[.gz] in"
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
        count, height, width, _ = self.images.shape
        self.description = (
            f"{self.name}/{split}: {count} grey images {height} x {width}"
        )

    def __reduce__(self):
        # Workers read the files again, which is cheaper than to send 47 MB to them.
        return IdxSource, (self.path, self.split)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Record:
        label = -1 if self.labels is None else int(self.labels[index])
        name = f"{self.name}/{self.split}[{index}]"
        return Record(image=self.images[index], label=label, name=name)


def read_idx(path: epath.PathLike, magic: int) -> UInt8[np.ndarray, "..."]:
    """Reads an idx file of bytes, compressed by gzip or not.

    Raises:
        InputError: The magic number is not `magic`, or the header gives another size.
    """
    data = epath.Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise InputError(f"{path} is a broken gzip file ({error}).") from error
    num_axes = magic & 0xFF
    found = int.from_bytes(data[:4], "big")
    if found != magic or len(data) < 4 * (1 + num_axes):
        raise InputError(
            f"{path} starts with {data[:4].hex()!r}, not with the magic number"
            f" {magic:08x} of an idx{num_axes} file of bytes; download it again."
        )
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", num_axes, offset=4))
    body = np.frombuffer(data, np.uint8, offset=4 * (1 + num_axes))
    if len(body) != int(np.prod(shape, dtype=np.int64)):
        raise InputError(
            f"{path} has {len(body)} bytes of data, but its header says {shape};"
            " download it again."
        )
    return body.reshape(shape)


def _find(folder: epath.Path, split: str, suffix: str) -> epath.Path | None:
    dotted = suffix.replace("-idx", ".idx", 1)
    for name in (f"{PREFIXES[split]}-{suffix}", f"{PREFIXES[split]}-{dotted}"):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    return None
