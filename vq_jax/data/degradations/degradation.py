"""A degradation: operations in order, whose numbers are drawn for each image anew."""

import dataclasses

import numpy as np
from jaxtyping import UInt8

from vq_jax.data.degradations import scaling
from vq_jax.data.degradations.operations import Act, Operation, to_uint8
from vq_jax.errors import InputError

Pixels = UInt8[np.ndarray, "_ _ _"]

# Of draws for evaluation, so that they are none of training, whatever its seed.
EVALUATION = 0xE7A1


@dataclasses.dataclass(frozen=True)
class Drawn:
    """What a degradation does to one image, and to any other of its size.

    Attributes:
        acts: what is done, in order, and whether it adds noise.
        scale: the image is so many times smaller after it.
    """

    acts: tuple[tuple[Act, bool], ...]
    scale: int

    def __call__(self, image: Pixels) -> Pixels:
        """The degraded image, rounded and clipped, its sides divided by `scale`."""
        return self._apply(image, [act for act, _ in self.acts])

    def without_noise(self, image: Pixels) -> Pixels:
        """The same, but for the noise: what `consistency` compares."""
        return self._apply(
            image, [act for act, is_random in self.acts if not is_random]
        )

    def _apply(self, image: Pixels, acts: list[Act]) -> Pixels:
        shape = _shape(image, self.scale)
        pixels = image.astype(np.float32)
        for act in acts:
            pixels = act(pixels)
        # Where a random factor has made it smaller, as software that shows it would.
        return to_uint8(scaling.scale(pixels, shape, "bicubic"))


@dataclasses.dataclass(frozen=True)
class Degradation:
    """Operations in order, and how many times smaller the image is after them.

    Attributes:
        operations: see `operations.py`.
        scale: 1 gives images of the size that they had; super-resolution has more.
    """

    operations: tuple[Operation, ...]
    scale: int = 1

    def draw(self, rng: np.random.Generator) -> Drawn:
        """What is done to one image: its own kernel, its own noise."""
        acts = tuple((each.draw(rng), each.is_random) for each in self.operations)
        return Drawn(acts, self.scale)


def evaluation_rng(seed: int, index: int) -> np.random.Generator:
    """The generator of image `index` of an evaluation: the same whenever it is asked.

    Args:
        seed: of the evaluation, in [0, 2**32).
        index: number of the image in its split.
    """
    return np.random.default_rng([EVALUATION, seed, index])


def enlarge(image: Pixels, scale: int) -> Pixels:
    """A degraded image at the size that it had, by bicubic interpolation.

    It is what the model sees. With a scale of 1 the image itself.
    """
    if scale == 1:
        return image
    height, width = image.shape[:2]
    shape = (height * scale, width * scale)
    return to_uint8(scaling.scale(image.astype(np.float32), shape, "bicubic"))


def consistency(output: Pixels, degraded: Pixels, drawn: Drawn) -> float:
    """Mean absolute difference of the degraded output to what was given, in levels.

    The noise is left out, as no output could explain it: the clean image itself is not
    at 0 then, and its distance is the number to compare with.
    """
    again = drawn.without_noise(output).astype(np.float64)
    return float(np.mean(np.abs(again - degraded)))


def _shape(image: Pixels, scale: int) -> tuple[int, int]:
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise InputError(
            f"an image of {height}x{width} does not divide by the scale {scale} of the "
            "degradation; crop it, or set config.data.image_size to a multiple."
        )
    return height // scale, width // scale
