"""Pictures between two images: by latents, by codes, and by pixels."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from vq_jax import compiler
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError
from vq_jax.inference import latents
from vq_jax.inference.padding import pad_to_few
from vq_jax.inference.tokenizer import Tokenizer, check_has_codes
from vq_jax.ops import code_choice, streams
from vq_jax.ops import images as image_ops

Image = UInt8[np.ndarray, "_ _ _"]
Pictures = UInt8[np.ndarray, "steps _ _ _"]


@dataclasses.dataclass(frozen=True)
class Interpolator:
    """Paths from one image to another of its size, in equal steps.

    The ends of paths of latents and of codes are the tokenizer's round trips of the two
    images, bit for bit. What does not fit the stride is padded as `vq-jax reconstruct`
    does.

    Attributes:
        tokenizer: the tokenizer.
    """

    tokenizer: Tokenizer

    def tokens_shape(self, image: Image) -> tuple[int, ...]:
        """Shape of the codes of an image, padded as said above.

        Raises:
            InputError: the tokenizer takes no images of this size.
        """
        return self.tokenizer.model.tokens_shape(*self._padded(image).shape[1:3])

    def latents(self, first: Image, last: Image, steps: int = 7) -> Pictures:
        """Linear in `z_e`, the latents before the quantizer, which then quantises.

        A tokenizer without codes, as a VAE, interpolates, too: nothing is quantised.

        Raises:
            InputError: fewer than 2 steps, or images of two sizes or other channels.
        """
        height, width = first.shape[:2]
        path = self.latent_path(first, last, steps)
        ends = [self._round_trip(image) for image in (first, last)]
        # Rounding depends on how many are decoded at once, so each is alone.
        between = [
            np.asarray(self._decode_latents(self.tokenizer.variables, z_e[None]))[0]
            for z_e in path[1:-1]
        ]
        return np.stack([ends[0], *between, ends[1]])[:, :height, :width]

    def latent_path(
        self, first: Image, last: Image, steps: int = 7
    ) -> Float[np.ndarray, "steps hq wq d"]:
        """`z_e` along the path; errors as `latents`."""
        check_path(first, last, steps)
        z_e = [
            np.asarray(
                self._encode_latents(self.tokenizer.variables, self._padded(image))
            )[0]
            for image in (first, last)
        ]
        weights = _fractions(steps)[:, None, None, None]
        return (1 - weights) * z_e[0] + weights * z_e[1]

    def codes(
        self, first: Image, last: Image, steps: int = 7, *, seed: int = 0
    ) -> Pictures:
        """By codes of the first image that are swapped for those of the last.

        Raises:
            InputError: as `latents`, or the tokenizer has no codes.
        """
        path = self.code_path(first, last, steps, seed=seed)
        return self.decode(path, first.shape[:2])

    def code_path(
        self, first: Image, last: Image, steps: int = 7, *, seed: int = 0
    ) -> Int[np.ndarray, "steps *tokens"]:
        """Codes along that path: position after position is swapped, in an order at
        random, so that what has come from the last image stays; errors as `codes`."""
        check_path(first, last, steps)
        check_range(seed, 0, 2**32 - 1, where="seed")
        check_has_codes(self.tokenizer.model, "interpolate")
        codes = [
            self.tokenizer.encode(self._padded(image))[0] for image in (first, last)
        ]
        shape = codes[0].shape
        grid = shape[:2] if len(shape) > 1 else (1, shape[0])
        key = streams.stream(jax.random.key(seed), "path")
        ranks = np.asarray(code_choice.position_ranks(key, grid, "random"))
        ranks = ranks.reshape(shape[:2] + (1,) * (len(shape) - 2))
        counts = np.rint(_fractions(steps) * ranks.size)
        return np.stack([np.where(ranks < n, codes[1], codes[0]) for n in counts])

    def decode(self, path: Int[np.ndarray, "steps *tokens"], size: tuple) -> Pictures:
        """Pictures of codes of images of this height and width."""
        return self.tokenizer.decode_each(path)[:, : size[0], : size[1]]

    def _round_trip(self, image: Image) -> Image:
        return self.tokenizer.reconstruct(self._padded(image))[0]

    def _padded(self, image: Image) -> UInt8[np.ndarray, "1 _ _ _"]:
        return pad_to_few(image, self.tokenizer.stride)[None]

    @functools.cached_property
    def _encode_latents(self) -> Callable:
        return compiler.jit(functools.partial(latents.encode, self.tokenizer.model))

    @functools.cached_property
    def _decode_latents(self) -> Callable:
        model = self.tokenizer.model

        def decode_latents(variables, z_e):
            return image_ops.to_uint8(latents.decode(model, variables, z_e))

        return compiler.jit(decode_latents)


def cross_fade(first: Image, last: Image, steps: int = 7) -> Pictures:
    """Linear in the pixels; the ends are the images. Errors as `latents`."""
    check_path(first, last, steps)
    weights = _fractions(steps)[:, None, None, None]
    return np.rint((1 - weights) * first + weights * last).astype(np.uint8)


def check_path(first: Image, last: Image, steps: int) -> None:
    """Raises InputError where there is no path of so many steps between two images."""
    check_range(steps, 2, where="steps")
    if first.shape != last.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (first, last)]
        raise InputError(
            f"the first image is {sizes[0]} and the last {sizes[1]} (with "
            f"{first.shape[2]} and {last.shape[2]} channels); crop or resize them to "
            "one size."
        )


def _fractions(steps: int) -> Float[np.ndarray, "steps"]:
    return np.linspace(0, 1, steps, dtype=np.float32)
