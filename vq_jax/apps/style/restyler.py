"""What all ways to restyle an image have in common."""

import abc
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Int, UInt8

from vq_jax import compiler
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError
from vq_jax.inference import latents
from vq_jax.inference.padding import check_image, pad_to_few
from vq_jax.inference.tokenizer import Tokenizer, check_has_codes

Image = UInt8[np.ndarray, "_ _ _"]


class Restyler(abc.ABC):
    """Gives an image the style of another one; the result is an image of codes.

    Both images have any size. The content image is padded as `vq-jax reconstruct` pads
    it, and cropped back. At strength 0 the result is that of `reconstruct`, bit for
    bit: what the tokenizer alone does to an image.

    Attributes:
        tokenizer: whose codes they are.
    """

    def __init__(self, tokenizer: Tokenizer):
        check_has_codes(tokenizer.model, "restyle")
        self.tokenizer = tokenizer

    def __call__(self, content: Image, style: Image, *, strength: float) -> Image:
        """The content image restyled, of its size.

        Args:
            content: uint8 [h, w, c], 0 to 255.
            style: the same of any size, but `min_side` or more.
            strength: in [0, 1]; 0 has the content alone, 1 as much style as there is.

        Raises:
            InputError: other images, or a strength out of range.
        """
        check_range(strength, 0.0, 1.0, where="strength")
        check_image("content", content, self.tokenizer.channels)
        self.check_style(style)
        padded = pad_to_few(content, self.tokenizer.stride)
        codes = self._codes(padded, style, strength)
        height, width = content.shape[:2]
        return self.tokenizer.decode(codes)[0, :height, :width]

    @property
    @abc.abstractmethod
    def min_side(self) -> int:
        """Pixels that a style image has in each direction, at least."""

    def check_style(self, style: Image) -> None:
        """Raises InputError where an image cannot be the style."""
        check_image("style", style, self.tokenizer.channels)
        if min(style.shape[:2]) < self.min_side:
            raise InputError(
                f"style is {style.shape[1]}x{style.shape[0]}, and its sides have to be "
                f"{self.min_side} pixels or more; give a larger image."
            )

    @abc.abstractmethod
    def _restyled(
        self, padded: Image, style: Image, strength: float
    ) -> Int[np.ndarray, "1 *tokens"]:
        """The codes at a strength above 0."""

    def _codes(self, padded: Image, style: Image, strength: float) -> np.ndarray:
        # At 0 by the program that `reconstruct` has: another one may differ in the last
        # bits of `z_e`, and so in codes of vectors that are as near to one as another.
        if strength == 0.0:
            return self.tokenizer.encode(padded[None])
        return self._restyled(padded, style, strength)

    @functools.cached_property
    def _latents(self) -> Callable:
        """(variables, uint8 [b, h, w, c]) -> `z_e` [b, hq, wq, d]"""
        return compiler.jit(functools.partial(latents.encode, self.tokenizer.model))

    @functools.cached_property
    def _quantized(self) -> Callable:
        """(variables, `z_e`) -> indices [b, *tokens]"""
        return compiler.jit(functools.partial(latents.codes, self.tokenizer.model))
