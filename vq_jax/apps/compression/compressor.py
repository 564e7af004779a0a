"""Images of any size to few bytes and back, with a tokenizer and its prior."""

import dataclasses
import hashlib
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath
from jaxtyping import Int, UInt8
from ml_collections import ConfigDict

from vq_jax.apps.compression import coders, range_coder
from vq_jax.apps.compression.coders import ByPrior, Coder, FixedLength, OrderZero
from vq_jax.apps.compression.file_format import CODERS, CompressedFile, ImageEntry
from vq_jax.config.checks import check_choice
from vq_jax.errors import InputError
from vq_jax.inference.labels import NONE, sample_labels
from vq_jax.inference.load import open_workdir
from vq_jax.inference.load_prior import SavedPrior, open_prior
from vq_jax.inference.padding import pad_to_multiple
from vq_jax.inference.sampler import Sampler
from vq_jax.inference.tokenizer import Tokenizer, check_has_codes
from vq_jax.models.priors.base import NO_CLASS
from vq_jax.ops.token_layout import TokenLayout
from vq_jax.workdirs import checkpoint

MAX_CODEBOOK = 2**20
"""Frequencies have 24 bits; a larger codebook would leave too few of them."""
AT_ONCE = 64
"""Images of one size that are encoded or decoded together."""


class NamedImage(NamedTuple):
    """An image with the name of its file, without extension."""

    name: str
    image: np.ndarray  # uint8 [h, w, c]


class ImageCodes(NamedTuple):
    """An image as codes.

    An image that is no multiple of the stride, or with a prior of its images' size, is
    grown to one at right and bottom by repeating its edge.
    """

    name: str
    size: tuple[int, int]  # of the image
    codes: np.ndarray  # int32 [*tokens]


@dataclasses.dataclass(frozen=True)
class Compressor:
    """A tokenizer with a coder of its codes.

    The coder "prior" cuts the codes of an image larger than the prior's into windows of
    the prior's grid, each coded for itself; the tokenizer sees the image whole.

    Attributes:
        tokenizer: the tokenizer.
        coder: one of CODERS.
        model: 8 bytes that another model would not have.
        multiple: images are grown to multiples of so many pixels.
        data: `config.data` of the run, which says how images are read.
        sampler: has the prior; None where there is none.
        label: of all images, for a prior with classes; -1 for none.
    """

    tokenizer: Tokenizer
    coder: str
    model: bytes
    multiple: int
    data: ConfigDict
    sampler: Sampler | None = None
    label: int = -1

    @classmethod
    def load(
        cls,
        workdir: epath.PathLike,
        *,
        coder: str | None = None,
        tokenizer: epath.PathLike | None = None,
        label: int | str | None = NONE,
    ) -> "Compressor":
        """That of a prior's or a tokenizer's run, from its latest checkpoint.

        Args:
            workdir: of a prior, for the coder "prior"; or of a tokenizer.
            coder: "fixed" length, "order0", or "prior"; by default "prior" with a
                prior's workdir and "order0" with a tokenizer's.
            tokenizer: workdir of the prior's tokenizer, where that has moved.
            label: class of all images, for the coder "prior"; None where files are
                only decoded, which say theirs.

        Raises:
            InputError: `constriction` is missing, there is no checkpoint, or no prior
                for the coder "prior".
        """
        range_coder.check_installed()
        config, _ = checkpoint.load_config(workdir)
        has_prior = "prior" in config
        coder = ("prior" if has_prior else "order0") if coder is None else coder
        check_choice(coder, CODERS, "coder")
        if coder == "prior":
            return cls._of_prior(open_prior(workdir, tokenizer), label)
        if has_prior:
            saved = open_prior(workdir, tokenizer).tokenizer
        else:
            saved = open_workdir(workdir)
        made = Tokenizer(saved.model, saved.load(), chunk_size=AT_ONCE)
        _check_codebook(made)
        model, data = bytes.fromhex(saved.digest)[:8], saved.config.data
        return cls(made, coder, model, made.stride, data)

    @classmethod
    def _of_prior(cls, saved: SavedPrior, label: int | str | None) -> "Compressor":
        sampler = Sampler(saved, batch_size=coders.MAX_BATCH)
        _check_codebook(sampler.tokenizer)
        number = NO_CLASS
        if label is not None:
            (number,) = sample_labels(label, 1, sampler.prior, saved.classes)
        prior = json.dumps(saved.config.prior.to_dict(), sort_keys=True)
        content = "\n".join([saved.tokenizer.digest, saved.digest, prior])
        model = hashlib.sha256(content.encode()).digest()[:8]
        data = saved.config.data
        return cls(
            sampler.tokenizer,
            "prior",
            model,
            data.image_size,
            data,
            sampler,
            int(number),
        )

    def encode(self, images: Iterable[NamedImage]) -> Iterator[ImageCodes]:
        """The codes of images; neighbours of one size go together.

        Raises:
            InputError: an image has other channels than the tokenizer, or the tokenizer
                or the prior takes images of one size alone, and this one has another.
        """
        for _, same in itertools.groupby(images, lambda named: named.image.shape):
            while group := [*itertools.islice(same, AT_ONCE)]:
                padded = [pad_to_multiple(image, self.multiple) for _, image in group]
                self._check_size(group[0].name, padded[0])
                for (name, image), codes in zip(
                    group, self.tokenizer.encode(np.stack(padded)), strict=True
                ):
                    yield ImageCodes(name, image.shape[:2], codes)

    def decode(self, images: Iterable[ImageCodes]) -> Iterator[NamedImage]:
        """The images of codes, each of its size."""
        for _, same in itertools.groupby(images, lambda coded: coded.codes.shape):
            while group := [*itertools.islice(same, AT_ONCE)]:
                stacked = np.stack([coded.codes for coded in group])
                for (name, size, _), image in zip(
                    group, self.tokenizer.decode(stacked), strict=True
                ):
                    yield NamedImage(name, image[: size[0], : size[1]])

    def compress(self, images: Sequence[ImageCodes]) -> bytes:
        """A file of codes that `encode` gave."""
        units = self._units(images)
        coder = self._coder(len(units), 0, self.label)
        writer = range_coder.RangeWriter()
        coder.run(writer, units)
        by_prior = isinstance(coder, ByPrior)
        return CompressedFile(
            coder=self.coder,
            model=self.model,
            batch_size=coder.batch_size if by_prior else 0,
            label=self.label,
            environment=coders.environment() if by_prior else "",
            images=tuple(
                ImageEntry(name, size, codes.shape) for name, size, codes in images
            ),
            codes_checksum=_checksum(units),
            stream=writer.to_bytes(),
        ).to_bytes()

    def decompress(self, content: bytes, name: str) -> list[ImageCodes]:
        """The codes that a file was made of, bit for bit.

        Args:
            content: all bytes of the file.
            name: of it, for errors.

        Raises:
            InputError: this is no such file, it is damaged, made with another model or
                coder; or it was coded with a prior whose frequencies are others on this
                machine.
        """
        file = CompressedFile.from_bytes(content, name)
        self._check_same(file, name)
        for image in file.images:
            self._check_grid(image, name)
        shapes = [image.tokens for image in file.images]
        units = self._empty_units(shapes)
        coder = self._coder(len(units), file.batch_size, file.label)
        units = coder.run(range_coder.RangeReader(file.stream), units)
        if _checksum(units) != file.codes_checksum:
            raise InputError(_other_codes(file, name))
        parts = self._from_units(units, shapes)
        return [
            ImageCodes(image.name, image.size, codes)
            for image, codes in zip(file.images, parts, strict=True)
        ]

    def windows(self, images: Sequence[ImageCodes]) -> Int[np.ndarray, "n *tokens"]:
        """Codes of all windows of all images, as the prior has them."""
        return self._units(images)

    @property
    def _layout(self) -> TokenLayout | None:
        return self.sampler and self.sampler.prior.layout

    def _coder(self, count: int, batch_size: int, label: int) -> Coder:
        size = self.tokenizer.codebook_size
        if self.coder == "fixed":
            return FixedLength(size)
        if self.coder == "order0":
            return OrderZero(size)
        frequencies = self.sampler.frequencies
        batch_size = batch_size or coders.batch_size(count, frequencies)
        return ByPrior(frequencies, batch_size, label)

    def _units(self, images: Sequence[ImageCodes]) -> np.ndarray:
        """What the coder walks through: windows of a prior, or codes one by one."""
        if self._layout is None:
            parts = [image.codes.reshape(-1) for image in images]
            return np.concatenate([np.zeros(0, np.int32), *parts])
        shape = self._layout.shape
        empty = np.zeros((0, *shape), np.int32)
        return np.concatenate([empty, *(_cut(image.codes, shape) for image in images)])

    def _empty_units(self, shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
        zeros = [ImageCodes("", (0, 0), np.zeros(shape, np.int32)) for shape in shapes]
        return self._units(zeros)

    def _from_units(self, units: np.ndarray, shapes) -> Iterator[np.ndarray]:
        window = () if self._layout is None else self._layout.shape
        start = 0
        for shape in shapes:
            count = int(np.prod(shape)) // int(np.prod(window))
            part = units[start : start + count]
            yield part.reshape(shape) if not window else _joined(part, shape)
            start += count

    def _check_size(self, name: str, image: UInt8[np.ndarray, "h w c"]) -> None:
        """Raises InputError where there are no codes of images of this size."""
        try:
            tokens = self.tokenizer.model.tokens_shape(*image.shape[:2])
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        layout = self._layout
        if layout and len(layout.shape) == 1 and tokens != layout.shape:
            raise InputError(
                f"{name} is larger than the {self.multiple} px of the prior, whose "
                "codes have no grid to cut windows from; scale it down, or use "
                "coder=order0."
            )

    def _check_same(self, file: CompressedFile, name: str) -> None:
        if file.coder != self.coder:
            raise InputError(
                f"{name} was made with coder={file.coder}, and this is "
                f"{self.coder}; give coder={file.coder}, and for prior the workdir "
                "of the prior."
            )
        if file.model != self.model:
            raise InputError(
                f"{name} was made with another model: {file.model.hex()}, and that of "
                f"the workdir is {self.model.hex()}. Name the workdir that it was made "
                "with; one that was trained further is another model."
            )

    def _check_grid(self, image: ImageEntry, name: str) -> None:
        padded = [-(-side // self.multiple) * self.multiple for side in image.size]
        expected = self.tokenizer.model.tokens_shape(*padded)
        if image.tokens != tuple(expected):
            raise InputError(
                f"{name} has codes of shape {image.tokens} for an image of "
                f"{image.size[1]}x{image.size[0]}, and the model has {expected}; was "
                "it written by another release of vq_jax?"
            )


def _check_codebook(tokenizer: Tokenizer) -> None:
    check_has_codes(tokenizer.model, "compress")
    if tokenizer.codebook_size > MAX_CODEBOOK:
        raise InputError(
            f"the tokenizer has {tokenizer.codebook_size} codes; compression takes "
            f"codebooks of at most {MAX_CODEBOOK}."
        )


def _checksum(codes: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(codes, "<i4"))


def _other_codes(file: CompressedFile, name: str) -> str:
    here = coders.environment()
    if file.environment in ("", here):
        where = "on a machine of another kind, perhaps"
    else:
        where = f"with {file.environment}, and this is {here}"
    return (
        f"{name} decodes to other codes than it was made of. Frequencies of a prior "
        f"are computed anew, and it was made {where}; decompress it there."
    )


def _cut(codes, window):
    """[n, *window] of codes whose grid is a multiple of the window's."""
    if len(window) == 1 or codes.shape == window:
        return codes.reshape(-1, *window)
    (rows, columns), rest = codes.shape[:2], codes.shape[2:]
    high, wide = window[:2]
    parts = codes.reshape(rows // high, high, columns // wide, wide, *rest)
    return parts.swapaxes(1, 2).reshape(-1, *window)


def _joined(windows, shape):
    """The inverse of `_cut`."""
    if len(shape) == 1 or windows.shape[1:] == shape:
        return windows.reshape(shape)
    high, wide = windows.shape[1:3]
    parts = windows.reshape(shape[0] // high, shape[1] // wide, *windows.shape[1:])
    return parts.swapaxes(1, 2).reshape(shape)
