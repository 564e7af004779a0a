"""Synthetic scratches, with where they are: anomalies of known place."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

VISIBLE = 25
"""Levels; a pixel that a scratch changes by less counts as normal."""


class Scratch(NamedTuple):
    """A straight line of one intensity.

    Attributes:
        center: row and column, in pixels.
        angle: in radians, from the rows' direction.
        length: in pixels.
        width: in pixels.
        intensity: in [0, 255], of all channels.
    """

    center: tuple[float, float]
    angle: float
    length: float
    width: float
    intensity: float


def draw_scratch(rng: np.random.Generator, height: int, width: int) -> Scratch:
    """One of any place, angle and intensity.

    Its length is uniform in 0.2 to 0.6 of the shorter side, its width in 1 to 2 pixels.
    """
    side = min(height, width)
    return Scratch(
        center=(rng.uniform(0, height - 1), rng.uniform(0, width - 1)),
        angle=rng.uniform(0, math.pi),
        length=rng.uniform(0.2, 0.6) * side,
        width=rng.uniform(1.0, 2.0),
        intensity=rng.uniform(0, 255),
    )


def coverage(scratch: Scratch, height: int, width: int) -> Float[np.ndarray, "h w"]:
    """How much of each pixel the line covers, in [0, 1]: a ramp of one pixel."""
    rows, columns = np.mgrid[:height, :width]
    y, x = rows - scratch.center[0], columns - scratch.center[1]
    cos, sin = math.cos(scratch.angle), math.sin(scratch.angle)
    along = np.maximum(np.abs(x * cos + y * sin) - scratch.length / 2, 0.0)
    distance = np.hypot(along, y * cos - x * sin)
    return np.clip(scratch.width / 2 + 0.5 - distance, 0.0, 1.0)


def scratched(
    image: UInt8[np.ndarray, "h w c"], rng: np.random.Generator, *, most: int = 3
) -> tuple[UInt8[np.ndarray, "h w c"], Bool[np.ndarray, "h w"]]:
    """The image with 1 to `most` scratches, and which pixels they change visibly."""
    height, width = image.shape[:2]
    pixels = image.astype(np.float64)
    for _ in range(rng.integers(1, most + 1)):
        scratch = draw_scratch(rng, height, width)
        share = coverage(scratch, height, width)[..., None]
        pixels = (1 - share) * pixels + share * scratch.intensity
    found = np.rint(pixels).astype(np.uint8)
    changed = np.abs(found.astype(int) - image).max(axis=-1)
    return found, changed >= VISIBLE
