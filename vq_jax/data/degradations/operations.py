"""The operations that a degradation is composed of, each with its ranges.

`operation.draw(rng)` draws the numbers of one image and returns what they do to it: a
function of float32 pixels [h, w, c] in [0, 255], which draws nothing any more. So what
was done to an image can be done to another one.
"""

import abc
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

import numpy as np

from vq_jax.data.degradations import jpeg, kernels, noise, scaling
from vq_jax.data.degradations.kernels import FloatPixels, Kernel
from vq_jax.ops import hole_fill

Interval = tuple[float, float]
Act = Callable[[FloatPixels], FloatPixels]


class Operation(abc.ABC):
    """One kind of damage, with the ranges of its numbers.

    Attributes:
        is_random: whether it adds noise, which no image explains.
    """

    is_random = False

    @abc.abstractmethod
    def draw(self, rng: np.random.Generator) -> Act:
        """What it does to one image."""


@dataclasses.dataclass(frozen=True)
class Blur(Operation):
    """A kernel around a centre, isotropic or not.

    Attributes:
        sigma: deviation along an axis, in pixels; uniform.
        kinds: "gaussian", "generalised" or "plateau" with "_isotropic" or
            "_anisotropic" -> its share.
        generalised_beta, plateau_beta: shapes; uniform.
    """

    sigma: Interval
    kinds: Mapping[str, float]
    generalised_beta: Interval = (1.0, 1.0)
    plateau_beta: Interval = (1.0, 1.0)

    def draw(self, rng):
        return functools.partial(kernels.blur, kernel=self.kernel(rng))

    def kernel(self, rng: np.random.Generator) -> Kernel:
        """That of an image; it reaches as far as three deviations."""
        shape, symmetry = _choose(rng, self.kinds).rsplit("_", 1)
        sigma_x = sigma_y = rng.uniform(*self.sigma)
        angle = 0.0
        if symmetry == "anisotropic":
            sigma_y, angle = rng.uniform(*self.sigma), rng.uniform(0.0, math.pi)
        size = 2 * math.ceil(3.0 * max(sigma_x, sigma_y)) + 1
        if shape == "plateau":
            beta = rng.uniform(*self.plateau_beta)
            return kernels.plateau(size, sigma_x, sigma_y, angle, beta)
        beta = rng.uniform(*self.generalised_beta) if shape == "generalised" else 1.0
        return kernels.gaussian(size, sigma_x, sigma_y, angle, beta)


@dataclasses.dataclass(frozen=True)
class Hole(Operation):
    """A rectangle of missing pixels, filled smoothly from those around it.

    Attributes:
        sides: its height and width as shares of the image's; uniform. It lies anywhere
            within the image.
    """

    sides: Interval

    def draw(self, rng):
        sides, places = rng.uniform(*self.sides, size=2), rng.uniform(size=2)

        def act(pixels):
            hole = np.zeros(pixels.shape[:2], bool)
            hole[*map(_span, hole.shape, sides, places)] = True
            return hole_fill.harmonic(to_uint8(pixels), hole).astype(np.float32)

        return act


@dataclasses.dataclass(frozen=True)
class MotionBlur(Operation):
    """A line of any direction.

    Attributes:
        length: in pixels; uniform.
    """

    length: Interval

    def draw(self, rng):
        kernel = kernels.motion(rng.uniform(*self.length), rng.uniform(0.0, math.pi))
        return functools.partial(kernels.blur, kernel=kernel)


@dataclasses.dataclass(frozen=True)
class Shrink(Operation):
    """A smaller image.

    Attributes:
        factor: of both sides; its logarithm is uniform.
        kinds: of `scaling.KINDS` -> its share.
    """

    factor: Interval
    kinds: Mapping[str, float]

    def draw(self, rng):
        low, high = np.log(self.factor)
        factor, kind = float(np.exp(rng.uniform(low, high))), _choose(rng, self.kinds)

        def shrink(image: FloatPixels) -> FloatPixels:
            height, width = (max(1, round(s / factor)) for s in image.shape[:2])
            return scaling.scale(image, (height, width), kind)

        return shrink


@dataclasses.dataclass(frozen=True)
class GaussianNoise(Operation):
    """Normal noise.

    Attributes:
        sigma: deviation, in levels of 255; uniform.
        grey: share of images whose channels get the same noise.
    """

    sigma: Interval
    grey: float = 0.0
    is_random = True

    def draw(self, rng):
        return _noisy(noise.add_gaussian, rng, self.sigma, self.grey)


@dataclasses.dataclass(frozen=True)
class PoissonNoise(Operation):
    """Shot noise.

    Attributes:
        scale: see `noise.add_poisson`; uniform.
        grey: share of images whose channels get the same noise.
    """

    scale: Interval
    grey: float = 0.0
    is_random = True

    def draw(self, rng):
        return _noisy(noise.add_poisson, rng, self.scale, self.grey)


@dataclasses.dataclass(frozen=True)
class Jpeg(Operation):
    """JPEG compression, of pixels that are rounded and clipped first.

    Attributes:
        quality: from the lowest to the highest, integers, each equally likely.
    """

    quality: tuple[int, int]

    def draw(self, rng):
        quality = int(rng.integers(*self.quality, endpoint=True))

        def compress(image: FloatPixels) -> FloatPixels:
            return jpeg.compress(to_uint8(image), quality).astype(np.float32)

        return compress


@dataclasses.dataclass(frozen=True)
class OneOf(Operation):
    """One of several operations.

    Attributes:
        shares: what to choose from, each with its share.
    """

    shares: tuple[tuple[Operation, float], ...]

    @property
    def is_random(self) -> bool:
        """Whether its operations add noise; all do, or none."""
        return self.shares[0][0].is_random

    def draw(self, rng):
        operations, shares = zip(*self.shares, strict=True)
        return operations[_index(rng, shares)].draw(rng)


def to_uint8(image: FloatPixels) -> np.ndarray:
    """Pixels rounded, and clipped to [0, 255]."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _span(length: int, share: float, place: float) -> slice:
    """A share of an axis; `place` in [0, 1] moves it from one end to the other."""
    size = max(1, round(share * length))
    start = round(place * (length - size))
    return slice(start, start + size)


def _noisy(add: Callable, rng, strength: Interval, grey: float) -> Act:
    strength, is_grey = rng.uniform(*strength), rng.random() < grey
    # A seed, so that the noise of an image is the same whenever it is added.
    seed = int(rng.integers(2**63))

    def noisy(image: FloatPixels) -> FloatPixels:
        return add(image, strength, np.random.default_rng(seed), grey=is_grey)

    return noisy


def _choose(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    return list(shares)[_index(rng, shares.values())]


def _index(rng: np.random.Generator, shares) -> int:
    """The number of a share, drawn in proportion to them."""
    ends = np.cumsum(list(shares))
    return int(np.searchsorted(ends, rng.uniform(0.0, ends[-1]), side="right"))
