"""The bytes of a compressed file: what stands before the codes, and how it is checked.

    magic            4  89 56 51 4A
    version          1
    coder            1  position in CODERS
    model            8  the beginning of the SHA-256 of what codes depend on
    checksum         4  CRC-32 of all other bytes
    codes' checksum  4  CRC-32 of all codes, as int32
    table            4  its length, and behind it the table, deflated
    codes               to the end

Numbers are little-endian. The table has integers of seven bits a byte (LEB128): batch
size, label + 1, and for each run of images of one size their number, height, width and
the shape of their codes; then the environment, and the names.
"""

import dataclasses
import itertools
import re
import struct
import zlib

from vq_jax.errors import InputError

MAGIC, VERSION = b"\x89VQJ", 1
CODERS = ("fixed", "order0", "prior")
HEAD = struct.Struct("<4sBB8sIII")
CHECKSUM = slice(14, 18)


@dataclasses.dataclass(frozen=True)
class ImageEntry:
    """An image of a file.

    Attributes:
        name: without extension; "" where it is that of the file.
        size: height and width.
        tokens: shape of its codes.
    """

    name: str
    size: tuple[int, int]
    tokens: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class CompressedFile:
    """A file as fields.

    Attributes:
        coder: one of CODERS.
        model: 8 bytes.
        batch_size: of the coder "prior"; 0 for the others.
        label: that codes were coded with, -1 for none.
        environment: release of JAX and device, where frequencies depend on them.
        images: in the order of their codes.
        codes_checksum: CRC-32.
        stream: of the range coder.
    """

    coder: str
    model: bytes
    batch_size: int
    label: int
    environment: str
    images: tuple[ImageEntry, ...]
    codes_checksum: int
    stream: bytes

    def to_bytes(self) -> bytes:
        """All of the file."""
        table = zlib.compress(_pack_table(self), 9, wbits=-15)
        head = HEAD.pack(
            MAGIC,
            VERSION,
            CODERS.index(self.coder),
            self.model,
            0,
            self.codes_checksum,
            len(table),
        )
        content = bytearray(head + table + self.stream)
        content[CHECKSUM] = struct.pack("<I", zlib.crc32(content))
        return bytes(content)

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> "CompressedFile":
        """The file that `to_bytes` gave.

        Raises:
            InputError: it is another kind of file, or not whole; `name` is in front.
        """
        if not content.startswith(MAGIC[: len(content)]) or not content:
            raise InputError(
                f"{name} is no file that vq-jax compress wrote; name one that is."
            )
        if len(content) < HEAD.size:
            raise _damaged(name, f"{len(content)} bytes are less than its head")
        _, version, coder, model, checksum, codes, length = HEAD.unpack_from(content)
        if version != VERSION:
            raise InputError(
                f"{name} has version {version} of the format, or is damaged; this "
                f"release of vq_jax reads version {VERSION}."
            )
        blank = bytearray(content)
        blank[CHECKSUM] = bytes(4)
        if zlib.crc32(blank) != checksum:
            raise _damaged(name, "its checksum differs")
        end = HEAD.size + length
        table = zlib.decompress(content[HEAD.size : end], wbits=-15)
        batch_size, label, environment, images = _unpack_table(table)
        return cls(
            coder=CODERS[coder],
            model=model,
            batch_size=batch_size,
            label=label,
            environment=environment,
            images=images,
            codes_checksum=codes,
            stream=content[end:],
        )


def _damaged(name: str, reason: str) -> InputError:
    return InputError(
        f"{name} is damaged or cut off ({reason}); get it anew, or compress again."
    )


def _pack_table(file: CompressedFile) -> bytes:
    runs = [
        (len([*group]), *size, len(tokens), *tokens)
        for (size, tokens), group in itertools.groupby(
            file.images, lambda image: (image.size, image.tokens)
        )
    ]
    environment = file.environment.encode()
    numbers = [file.batch_size, file.label + 1, len(runs), *itertools.chain(*runs)]
    names = "\0".join(_shortened([image.name for image in file.images]))
    return b"".join(
        [
            *map(_varint, [*numbers, len(environment)]),
            environment,
            names.encode(errors="surrogateescape"),
        ]
    )


def _unpack_table(table: bytes):
    place = 0

    def number() -> int:
        nonlocal place
        value, shift = 0, 0
        while True:
            byte = table[place]
            value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
            if byte < 128:
                return value

    batch_size, label, entries = number(), number() - 1, []
    for _ in range(number()):
        count, size = number(), (number(), number())
        tokens = tuple(number() for _ in range(number()))
        entries += [(size, tokens)] * count
    length = number()
    environment = table[place : place + length].decode()
    names = table[place + length :].decode(errors="surrogateescape")
    names = _restored(names.split("\0"))
    images = [
        ImageEntry(name, *entry)
        for name, entry in zip(names, entries, strict=bool(entries))
    ]
    return batch_size, label, environment, tuple(images)


def _varint(value: int) -> bytes:
    parts = []
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _shortened(names: list[str]) -> list[str]:
    """A name that follows from the one before is left out: numbers cost nothing."""
    before = ["", *map(_successor, names)]
    return [
        "" if name == expected else name
        for name, expected in zip(names, before, strict=False)
    ]


def _restored(names: list[str]) -> list[str]:
    """The inverse of `_shortened`."""
    found = []
    for name in names:
        found.append(name or (_successor(found[-1]) if found else ""))
    return found


def _successor(name: str) -> str:
    """The name with its last number one higher, as wide; "" where it has none."""
    match = re.search(r"([0-9]+)([^0-9]*)$", name)
    if not match:
        return ""
    number = f"{int(match[1]) + 1:0{len(match[1])}d}"
    return name[: match.start()] + number + match[2]
