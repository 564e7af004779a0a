"""Decodes image files of any format, mode, bit depth or orientation to uint8 arrays."""

import io
import struct

import numpy as np
from etils import epath
from jaxtyping import UInt8
from PIL import Image, ImageOps

from vq_jax.errors import InputError

MODES = {1: "L", 3: "RGB"}

# What Pillow raises for a broken file depends on the format's decoder.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)


def decode_image(
    data: bytes | epath.PathLike,
    *,
    channels: int,
    name: str = "",
    background: tuple[int, int, int] = (255, 255, 255),
) -> UInt8[np.ndarray, "h w c"]:
    """Decodes an image file to pixels in [0, 255], upright, with 1 or 3 channels.

    Animated files give their first frame; EXIF rotation is applied; CMYK becomes RGB
    without colour management. Grey of 16 bits is divided by 257 and rounded. (Of 16-bit
    RGB Pillow takes the high bytes, which is less than one step away.) One channel is
    the luma of ITU-R 601.

    Args:
        data: The encoded bytes, or a path (`gs://` too) to read them from.
        channels: 1 or 3.
        name: What error messages call the image; the path where it is empty.
        background: RGB colour that transparent pixels are composited on.

    Raises:
        InputError: `channels` is neither, the file is missing, or it can't be decoded.
    """
    if channels not in MODES:
        raise InputError(f"channels={channels} is unknown; choose from {[*MODES]}.")
    if not isinstance(data, bytes):
        name = name or str(data)
        data = _read(epath.Path(data))
    name = name or "image"
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = _to_mode(image, MODES[channels], background)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise InputError(
            f"{name} can't be decoded ({_reason(error)}, {len(data)} bytes). Remove or"
            " replace the file; config.data.on_error='skip' leaves such files out."
        ) from error
    return pixels.reshape(*pixels.shape[:2], channels)


def _reason(error: BaseException) -> str:
    """The error's message, without the memory address that Pillow's may have."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image of a known format"
    return str(error)


def _read(path: epath.Path) -> bytes:
    if not path.is_file():
        raise InputError(f"image file {path} does not exist; check the path.")
    return path.read_bytes()


def _to_mode(
    image: Image.Image, mode: str, background: tuple[int, int, int]
) -> np.ndarray:
    """The image in Pillow's `mode`, as uint8 [h, w] or [h, w, 3]."""
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(canvas, image).convert("RGB")
    return np.array(image.convert(mode))


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Converts grey of 16 bits to 8: 65535 / 257 is exactly 255, so white stays white.

    Pillow's mode of such images is I;16 or, for some formats, I (32 bits).
    """
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise InputError(
            f"pixels of mode {image.mode!r} reach from {values.min()} to"
            f" {values.max()}; save the image with 8 or 16 bits a channel."
        )
    return Image.fromarray(np.round(values / 257.0).astype(np.uint8))
