"""Decodes image files of any format, mode, bit depth or orientation to uint8 arrays."""

import functools
import io
import struct

import numpy as np
from etils import epath
from jaxtyping import UInt8
from PIL import Image, ImageOps

from vq_jax.data import depth, reading, tiff
from vq_jax.errors import InputError

MODES = {1: "L", 3: "RGB"}

# Formats of photographs, not all that Pillow knows: for EPS it starts another program,
# and HDF5 is a name without a decoder. TGA comes last: its files begin with anything.
FORMATS = (
    *("JPEG", "PNG", "WEBP", "AVIF", "JPEG2000", "TIFF", "GIF"),
    *("BMP", "DIB", "PPM", "QOI", "TGA"),
)

# Pillow holds four bytes a pixel, and transparency takes three such copies: 1.6 GB.
MAX_PIXELS = 2**27

# More than so many pixels take up in a file, without compression and with 16 bits.
MAX_BYTES = 2**31

# What Pillow raises for a broken file depends on the format's decoder.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error)
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode_image(
    data: bytes | epath.PathLike,
    *,
    channels: int,
    name: str = "",
    background: tuple[int, int, int] = (255, 255, 255),
    white_point: int | float = 0.0,
) -> UInt8[np.ndarray, "h w c"]:
    """Decodes an image file to pixels in [0, 255], upright, with 1 or 3 channels.

    Animated files give their first frame; EXIF rotation is applied; CMYK becomes RGB
    without colour management. Grey of more than 8 bits is scaled and rounded. (Of
    16-bit RGB Pillow takes the high bytes, which is less than one step away.) One
    channel is the luma of ITU-R 601.

    Args:
        data: The encoded bytes, or a path (`gs://` too) to read them from.
        channels: 1 or 3.
        name: What error messages call the image; the path where it is empty.
        background: RGB colour that transparent pixels are composited on.
        white_point: The value that is white in grey of more than 8 bits; 0 is the
            largest value of the file's bits, which those of 32 bits do not have.

    Raises:
        InputError: `channels` is neither, the file is missing or no regular file, has
            more than `MAX_PIXELS`, or can't be read or decoded.
    """
    if channels not in MODES:
        raise InputError(f"channels={channels} is unknown; choose from {[*MODES]}.")
    if not isinstance(data, bytes):
        name = name or reading.printable(data)
        data = reading.read_file(epath.Path(data), MAX_BYTES)
    name = name or "image"
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            pixels = _to_mode(image, MODES[channels], background, white_point)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except (*BROKEN, *BOMBS, MemoryError) as error:
        raise InputError(
            f"{name} can't be decoded ({_reason(error, data)}, {len(data)} bytes)."
            " Remove or replace the file."
        ) from error
    return pixels.reshape(*pixels.shape[:2], channels)


@functools.cache
def extensions() -> tuple[str, ...]:
    """The endings of files that `decode_image` reads, in lower case."""
    Image.init()
    known = Image.registered_extensions()
    return tuple(sorted(e for e, name in known.items() if name in FORMATS))


def _reason(error: BaseException, data: bytes) -> str:
    """The error's message, without the memory address that Pillow's may have."""
    if isinstance(error, Image.UnidentifiedImageError):
        return tiff.describe_unknown(data) or "not an image of a known format"
    if isinstance(error, MemoryError):
        return "there is too little memory for it"
    return str(error)


def _to_mode(
    image: Image.Image,
    mode: str,
    background: tuple[int, int, int],
    white_point: int | float,
) -> np.ndarray:
    """The image in Pillow's `mode`, as uint8 [h, w] or [h, w, 3]."""
    _check_size(image)
    if image.format == "TIFF":
        tiff.check_layout(image)
    if depth.is_grey(image):
        return _deep_grey(image, mode, white_point)
    deep = depth.is_deep_color(image)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if deep:
        depth.check_color(image, white_point)
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(canvas, _converted(image, "RGBA"))
        del canvas
        image = image.convert("RGB")
    return np.array(_converted(image, mode))


def _converted(image: Image.Image, mode: str) -> Image.Image:
    """As `image.convert`, which copies even if there is nothing to convert."""
    return image if image.mode == mode else image.convert(mode)


def _deep_grey(image: Image.Image, mode: str, white_point: int | float) -> np.ndarray:
    scale = depth.scale_of(image, white_point)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    levels = depth.to_eight_bits(np.asarray(image), scale, image.mode)
    return np.array(_converted(Image.fromarray(levels), mode))


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{width} x {height} are more than {MAX_PIXELS} pixels; scale the image"
            " down, or cut it into pieces."
        )
