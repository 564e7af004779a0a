"""How many bits images take: what theory promises, real files, and other formats."""

import io
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vq_jax.apps.compression.compressor import Compressor, ImageCodes, NamedImage

QUALITIES = range(1, 101)
"""Of JPEG and WebP in Pillow."""


class Rate(NamedTuple):
    """What all images take together.

    Attributes:
        name: of the row.
        num_bytes: a fraction where it is a promise.
        bits_per_pixel: over height x width of all images.
        psnr: of the images that come out, in dB, a mean over images; None where the
            row above says it, infinite without loss.
    """

    name: str
    num_bytes: float
    bits_per_pixel: float
    psnr: float | None = None


def ladder(
    compressor: Compressor, images: Sequence[ImageCodes], file_bytes: int
) -> list[Rate]:
    """From fixed length to the bytes of real files.

    Fixed length is N log2 K; order 0 is the entropy of these images' own histogram, as
    if it cost nothing to tell; that of the prior is its cross-entropy, computed by
    `Sampler.log_prob` and not by the coder, over all windows (a bound on it where the
    prior has no more).
    """
    # With a prior, codes of what images were grown by are coded, too.
    codes = compressor.windows(images)
    counts = np.bincount(codes.reshape(-1)).astype(np.float64)
    law = counts[counts > 0] / counts.sum()
    size = compressor.tokenizer.codebook_size
    bits = {
        "fixed length": codes.size * math.log2(size),
        "order 0": -codes.size * float(law @ np.log2(law)),
    }
    sampler = compressor.sampler
    if sampler:
        nats = sampler.log_prob(codes, compressor.label)
        bound = " (bound)" if sampler.likelihood == "bound" else ""
        bits[f"cross-entropy of the prior{bound}"] = -nats.sum() / math.log(2)
    bits["files"] = 8 * file_bytes
    pixels = sum(math.prod(image.size) for image in images)
    return [Rate(name, value / 8, value / pixels) for name, value in bits.items()]


def other_formats(
    originals: Sequence[NamedImage], decoded: Sequence[NamedImage]
) -> list[Rate]:
    """PNG, and JPEG and WebP at the lowest quality that is no worse than the tokenizer.

    That is one quality for all images, such that their mean PSNR is that of `decoded`
    or above; where even the lowest one is, that. Headers of files are counted. JPEG is
    Pillow's, with 4:2:0 chroma.
    """
    wanted = mean_psnr(originals, decoded)
    pixels = sum(math.prod(image.shape[:2]) for _, image in originals)
    rows = [_rate("PNG", _through(originals, "PNG", {}), math.inf, pixels)]
    for kind in ("JPEG", "WEBP"):
        quality = _lowest(
            lambda quality, kind=kind: (
                _psnr_of(originals, _through(originals, kind, {"quality": quality}))
                >= wanted
            )
        )
        files = _through(originals, kind, {"quality": quality})
        psnr = _psnr_of(originals, files)
        rows.append(_rate(f"{kind} at quality {quality}", files, psnr, pixels))
    return rows


def mean_psnr(originals: Sequence[NamedImage], decoded: Sequence[NamedImage]) -> float:
    """In dB; an image without loss counts as 100 dB."""
    pairs = zip(originals, decoded, strict=True)
    return float(np.mean([_psnr(one.image, other.image) for one, other in pairs]))


def _psnr(image: UInt8[np.ndarray, "h w c"], other: UInt8[np.ndarray, "h w c"]):
    error = np.mean((image.astype(np.float64) - other) ** 2)
    return min(100.0, -10 * math.log10(max(error, 1e-20) / 255**2))


def _lowest(good: Callable[[int], bool]) -> int:
    """The lowest of QUALITIES that is good, as far as higher ones are; or the last."""
    low, high = QUALITIES[0], QUALITIES[-1]
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle + 1, high)
    return low


def _through(images: Sequence[NamedImage], kind: str, options: dict) -> list[bytes]:
    files = []
    for _, image in images:
        content = io.BytesIO()
        squeezed = image.squeeze(-1) if image.shape[-1] == 1 else image
        Image.fromarray(squeezed).save(content, format=kind, **options)
        files.append(content.getvalue())
    return files


def _psnr_of(originals: Sequence[NamedImage], files: Sequence[bytes]) -> float:
    decoded = []
    for (name, image), content in zip(originals, files, strict=True):
        with Image.open(io.BytesIO(content)) as picture:
            mode = "L" if image.shape[-1] == 1 else "RGB"
            pixels = np.asarray(picture.convert(mode)).reshape(image.shape)
        decoded.append(NamedImage(name, pixels))
    return mean_psnr(originals, decoded)


def _rate(name: str, files: Sequence[bytes], psnr: float, pixels: int) -> Rate:
    num_bytes = sum(map(len, files))
    return Rate(name, num_bytes, 8 * num_bytes / pixels, psnr)
