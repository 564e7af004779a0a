"""Images to code indices and back, with a trained model."""

import functools
from collections.abc import Callable

import jax
import numpy as np
from etils import epath
from jaxtyping import Array, Int, UInt8

from vq_jax.errors import InputError
from vq_jax.inference.load import load_workdir
from vq_jax.models.autoencoder import Autoencoder
from vq_jax.ops import images as image_ops
from vq_jax.typing import Variables


def reconstruct(
    model: Autoencoder, variables: Variables, images: UInt8[Array, "n h w c"]
) -> UInt8[Array, "n h w c"]:
    """The images as the model reproduces them; pure."""
    output = model.apply(variables, image_ops.from_uint8(images), train=False)
    return image_ops.to_uint8(output.recon)


class Tokenizer:
    """A trained tokenizer: uint8 images <-> int32 codes.

    Works on NumPy arrays of any batch length: batches are cut into, and padded to,
    `chunk_size`, so one compilation an image size serves all lengths.

    Attributes:
        stride: pixels a code spans in each direction; image sizes are multiples of it.
        codebook_size: number of codes, 0 for a model without codes.
        channels: channels of an image.
    """

    def __init__(self, model: Autoencoder, variables: dict, *, chunk_size: int = 32):
        self._model, self._variables = model, variables
        self._chunk_size = chunk_size
        self.stride = model.downsampling_factor
        self.codebook_size = model.quantizer.codebook_size
        self.channels = model.channels

    @classmethod
    def load(cls, workdir: epath.PathLike, *, chunk_size: int = 32) -> "Tokenizer":
        """The tokenizer that a run trained, from its latest checkpoint.

        Raises:
            InputError: there is no checkpoint in `workdir`.
        """
        trained = load_workdir(workdir)
        return cls(trained.model, trained.variables, chunk_size=chunk_size)

    def encode(
        self, images: UInt8[np.ndarray, "n h w c"]
    ) -> Int[np.ndarray, "n *tokens"]:
        """Codes (int32, in [0, codebook_size)) of uint8 images.

        Raises:
            InputError: not uint8 [n, h, w, c] of the model's channels, a size that is
                no multiple of the stride, or a model without codes.
        """
        self._check_codes("encode")
        self._check_images(images)
        return self._in_chunks(self._encode, images)

    def decode(
        self, codes: Int[np.ndarray, "n *tokens"]
    ) -> UInt8[np.ndarray, "n h w c"]:
        """uint8 images of codes, exactly those that `reconstruct` gives.

        Raises:
            InputError: not integers [n, hq, wq], codes out of range, or a model without
                codes.
        """
        self._check_codes("decode")
        codes = np.asarray(codes)
        axes = ("n", *self._model.quantizer.token_axes)
        if codes.ndim != len(axes) or not np.issubdtype(codes.dtype, np.integer):
            raise InputError(
                f"codes are {codes.dtype} {codes.shape}; decode takes integers "
                f"[{', '.join(axes)}], as encode returns them."
            )
        if codes.size and (codes.min() < 0 or codes.max() >= self.codebook_size):
            raise InputError(
                f"codes range over [{codes.min()}, {codes.max()}] but the codebook has "
                f"codes 0 to {self.codebook_size - 1}; were they made by another model?"
            )
        return self._in_chunks(self._decode, codes.astype(np.int32))

    def reconstruct(
        self, images: UInt8[np.ndarray, "n h w c"]
    ) -> UInt8[np.ndarray, "n h w c"]:
        """The images as the model reproduces them; works without codes, too.

        Raises:
            InputError: as `encode` does for images.
        """
        self._check_images(images)
        return self._in_chunks(self._reconstruct, images)

    @functools.cached_property
    def _encode(self) -> Callable:
        def encode(variables, images):
            images = image_ops.from_uint8(images)
            return self._model.apply(variables, images, method="encode")

        return jax.jit(encode)

    @functools.cached_property
    def _decode(self) -> Callable:
        def decode(variables, codes):
            images = self._model.apply(variables, codes, method="decode")
            return image_ops.to_uint8(images)

        return jax.jit(decode)

    @functools.cached_property
    def _reconstruct(self) -> Callable:
        return jax.jit(functools.partial(reconstruct, self._model))

    def _in_chunks(self, fn: Callable, array: np.ndarray) -> np.ndarray:
        if not len(array):
            # One padded row gives the shape of an empty answer.
            padded = np.zeros((1, *array.shape[1:]), array.dtype)
            return self._in_chunks(fn, padded)[:0]
        results = []
        for start in range(0, len(array), self._chunk_size):
            chunk = array[start : start + self._chunk_size]
            missing = self._chunk_size - len(chunk)
            padding = ((0, missing),) + ((0, 0),) * (array.ndim - 1)
            result = fn(self._variables, np.pad(chunk, padding))
            results.append(np.asarray(result)[: len(chunk)])
        return np.concatenate(results)

    def _check_images(self, images) -> None:
        if getattr(images, "dtype", None) != np.uint8 or images.ndim != 4:
            found = f"{getattr(images, 'dtype', type(images))} {np.shape(images)}"
            raise InputError(f"images are {found}; give uint8 [n, h, w, c], 0 to 255.")
        if images.shape[-1] != self.channels:
            raise InputError(
                f"images have {images.shape[-1]} channels but the model takes "
                f"{self.channels}; convert them first."
            )
        self._model.grid_size(*images.shape[1:3])

    def _check_codes(self, what: str) -> None:
        if not self.codebook_size:
            raise InputError(
                f"{what}: the model has no codes (config.model.quantizer.name='none'); "
                "use reconstruct, or train with a quantizer that has a codebook."
            )
