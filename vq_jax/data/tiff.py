"""TIFF files whose layout Pillow reads wrongly, or not at all."""

import io
import struct

from PIL import Image, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from vq_jax.errors import InputError

MAGICS = (b"II*\0", b"MM\0*")
BITS, COMPRESSION, PHOTOMETRIC, BANDS, PLANAR, SAMPLES = 258, 259, 262, 277, 284, 339
UNSIGNED = 1
NAMES = {1: "unsigned", 2: "signed", 3: "floating-point"}


def check_layout(image: Image.Image) -> None:
    """Checks a TIFF, opened and not yet loaded.

    Raises:
        InputError: Pillow would return other pixels than the file has, and say nothing.
    """
    tags = image.tag_v2
    bits = tags.get(BITS, (1,))
    planar = tags.get(PLANAR) == 2 and len(bits) > 1
    compressed = tags.get(COMPRESSION, 1) != 1
    misread = (
        # Two planes are read as pairs, and planes of 16 bits as if they had 8.
        (planar and (len(bits) == 2 or (max(bits) > 8 and not compressed)))
        or (max(bits) == 8 and tags.get(SAMPLES, (UNSIGNED,))[0] != UNSIGNED)
        # Decompressed values are in this machine's byte order, which Pillow swaps.
        or (image.mode in ("I", "F") and compressed and tags.prefix == b"MM")
    )
    if misread:
        raise InputError(
            f"TIFF of {_layout(tags)} can't be read; save it uncompressed, channel"
            " beside channel, with 8 or 16 unsigned bits each."
        )


def min_is_white(image: Image.Image) -> bool:
    """Whether 0 is white and Pillow leaves it so; it turns 8 bits around itself."""
    if image.format != "TIFF" or image.mode in ("1", "L"):
        return False
    return image.tag_v2.get(PHOTOMETRIC) == 0


def white(image: Image.Image) -> float:
    """The largest value of a TIFF's unsigned integers up to 16 bits; else 0."""
    bits = image.tag_v2.get(BITS, (1,))[0]
    unsigned = image.tag_v2.get(SAMPLES, (UNSIGNED,))[0] == UNSIGNED
    return 2.0**bits - 1 if unsigned and bits <= 16 else 0.0


def describe_unknown(data: bytes) -> str:
    """Why Pillow does not open these bytes, if they are a TIFF; else ""."""
    if data[:4] not in MAGICS:
        return ""
    try:
        tags = ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        return f"a TIFF of {_layout(tags)}, which Pillow does not read"
    except (OSError, SyntaxError, ValueError, struct.error):
        return "a TIFF with a broken header"


def _layout(tags: ImageFileDirectory_v2) -> str:
    """As "3 bands of 16 unsigned bits, planar"."""
    bits = tags.get(BITS, (1,))
    sample = NAMES.get(tags.get(SAMPLES, (UNSIGNED,))[0], "unknown")
    bands = tags.get(BANDS, 1)
    parts = [f"{bands} band{'s' if bands > 1 else ''} of {max(bits)} {sample} bits"]
    if tags.get(PLANAR) == 2 and bands > 1:
        parts.append("planar")
    if tags.get(COMPRESSION, 1) != 1:
        parts.append("compressed")
    photometric = TiffTags.lookup(PHOTOMETRIC).enum
    kinds = {number: name for name, number in photometric.items()}
    if PHOTOMETRIC in tags:
        parts.append(str(kinds.get(tags[PHOTOMETRIC], tags[PHOTOMETRIC])))
    return ", ".join(parts)
