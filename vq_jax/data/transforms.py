"""Native-size uint8 images to [S, S, C], in NumPy and Pillow; outputs stay uint8."""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from ml_collections import ConfigDict
from PIL import Image

from vq_jax.config.checks import check_choice, check_range
from vq_jax.data import color, decode
from vq_jax.errors import InputError

# Pillow's kernels widen with the reduction factor: all but nearest are antialiased.
KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
RESIZES = ("none", "shorter_side")
CROPS = ("center", "random", "random_resized")
CHANNELS = (1, 3)

Pixels = UInt8[np.ndarray, "_ _ _"]


def resize(image: Pixels, size: int, mode: str, kernel: str) -> Pixels:
    """The image with its aspect ratio kept and no side below `size`.

    Args:
        image: Pixels in [0, 255].
        size: Pixels of the shorter side.
        mode: "shorter_side" scales it to `size`; "none" does so only where it is
            smaller, since a crop of `size` would not fit otherwise.
        kernel: A key of `KERNELS`.

    Raises:
        InputError: Unknown mode or kernel.
    """
    _check("resize", mode, RESIZES)
    shape = _resized_shape(image, size, mode)
    return image if shape == image.shape[:2] else _scale(image, shape, kernel)


def _resized_shape(image: Pixels, size: int, mode: str) -> tuple[int, int]:
    height, width = image.shape[:2]
    shorter = min(height, width)
    if mode == "none" and shorter > size:
        return height, width
    return round(height * size / shorter), round(width * size / shorter)


def center_crop(image: Pixels, size: int) -> Pixels:
    """The middle `size` x `size` pixels; the extra odd pixel stays below and right."""
    height, width = _room(image, size)
    return _window(image, height // 2, width // 2, size)


def random_crop(image: Pixels, size: int, rng: np.random.Generator) -> Pixels:
    """`size` x `size` pixels, every position equally likely."""
    height, width = _room(image, size)
    top, left = rng.integers(height, endpoint=True), rng.integers(width, endpoint=True)
    return _window(image, int(top), int(left), size)


def random_resized_crop(
    image: Pixels,
    size: int,
    rng: np.random.Generator,
    min_area: float = 0.25,
    kernel: str = "bicubic",
) -> Pixels:
    """A random square, scaled to `size` x `size`.

    Its area is uniform in [min_area, 1] of the largest square of the image. Unlike the
    crop of Inception (arXiv:1409.4842) it keeps the aspect ratio: a tokenizer has to
    reconstruct the image, and stretched ones are not among those that it will see.
    """
    shorter = min(image.shape[:2])
    side = max(1, round(shorter * np.sqrt(rng.uniform(min_area, 1.0))))
    return _scale(random_crop(image, side, rng), (size, size), kernel)


def flip(image: Pixels) -> Pixels:
    """The mirror image: left and right exchanged."""
    return np.ascontiguousarray(image[:, ::-1])


def to_channels(image: Pixels, channels: int) -> Pixels:
    """The image with 1 channel (luma of ITU-R 601) or 3 (grey repeated)."""
    _check("channels", channels, CHANNELS)
    if image.shape[-1] == channels:
        return image
    if channels == 3 and image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    if channels == 1 and image.shape[-1] == 3:
        return np.array(Image.fromarray(image).convert("L"))[..., None]
    raise InputError(f"the image has {image.shape[-1]} channels; sources give 1 or 3.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalTransform:
    """Resize and centre crop: the same pixels at every call.

    Attributes:
        image_size: S, the side of the output.
        channels: C of the output, 1 or 3.
        resize: One of `RESIZES`, see `resize`.
        kernel: A key of `KERNELS`.
    """

    image_size: int
    channels: int
    resize: str
    kernel: str

    def __post_init__(self):
        _check("channels", self.channels, CHANNELS)
        _check("resize", self.resize, RESIZES)
        _check("kernel", self.kernel, KERNELS)
        check_range(self.image_size, 1, where="config.data.image_size")

    def __call__(self, element: dict) -> dict:
        """{"image": uint8 [S, S, C], "label": int32}."""
        image = self._resized(element["image"], center_crop)
        return self._pack(center_crop(image, self.image_size), element)

    def _resized(self, image: Pixels, cut: Callable) -> Pixels:
        """The image as `resize` gives it; of a very narrow one, a square from `cut`.

        A strip of 5 x 17 million pixels would become 200 times as many. Its crop has
        its whole width, so it may as well come first.
        """
        shape = _resized_shape(image, self.image_size, self.resize)
        if shape == image.shape[:2]:  # asked first: small images take microseconds
            return image
        if math.prod(shape) > max(decode.MAX_PIXELS, math.prod(image.shape[:2])):
            image = cut(image, min(image.shape[:2]))
        return resize(image, self.image_size, self.resize, self.kernel)

    def _pack(self, image: Pixels, element: dict) -> dict:
        if image.shape[-1] != self.channels:
            image = to_channels(image, self.channels)
        image = np.ascontiguousarray(image)
        return {"image": image, "label": np.int32(element["label"])}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainTransform(EvalTransform):
    """Resize, crop, mirror and recolour, with a generator that the caller seeds.

    Attributes:
        crop: One of `CROPS`. "random_resized" crops the native image, so `resize`
            has no effect with it.
        flip: Mirror every second image, at random.
        color_prob: Fraction of the images that get random colours; see
            `color.random_colors`. 0 draws nothing, and 1 channel has no colours.
    """

    crop: str
    flip: bool
    color_prob: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        _check("crop", self.crop, CROPS)
        check_range(self.color_prob, 0.0, 1.0, where="config.data.color_prob")

    def __call__(self, element: dict, rng: np.random.Generator) -> dict:
        """{"image": uint8 [S, S, C], "label": int32}."""
        image = self._crop(element["image"], rng)
        if self.flip and rng.random() < 0.5:
            image = flip(image)
        image = to_channels(image, self.channels)
        if self.color_prob and rng.random() < self.color_prob:
            image = color.random_colors(image, rng)
        return self._pack(image, element)

    def _crop(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        size = self.image_size
        if self.crop == "random_resized":
            return random_resized_crop(image, size, rng, kernel=self.kernel)
        cut = center_crop
        if self.crop == "random":
            cut = functools.partial(random_crop, rng=rng)
        return cut(self._resized(image, cut), size)


def _check(field: str, value: str | int, choices) -> None:
    check_choice(value, choices, f"config.data.{field}")


def _scale(image: Pixels, shape: tuple[int, int], kernel: str) -> Pixels:
    _check("kernel", kernel, KERNELS)
    # Pillow has no image of shape [h, w, 1].
    flat = image[..., 0] if image.shape[-1] == 1 else image
    scaled = Image.fromarray(flat).resize(shape[::-1], KERNELS[kernel])
    return np.array(scaled).reshape(*shape, image.shape[-1])


def _room(image: Pixels, size: int) -> tuple[int, int]:
    """Pixels by which the image is higher and wider than a crop of `size`."""
    height, width = image.shape[:2]
    if size > min(height, width):
        raise InputError(
            f"a crop of {size} does not fit into {height} x {width} pixels; resize"
            " first or lower config.data.image_size."
        )
    return height - size, width - size


def _window(image: Pixels, top: int, left: int, size: int) -> Pixels:
    return image[top : top + size, left : left + size]


def eval_transform(data_config: ConfigDict) -> EvalTransform:
    """What evaluations do to an image, by `config.data`."""
    return EvalTransform(
        image_size=data_config.image_size,
        channels=data_config.channels,
        resize=data_config.resize,
        kernel=data_config.kernel,
    )


def train_transform(data_config: ConfigDict) -> TrainTransform:
    """What training does to an image, by `config.data`."""
    return TrainTransform(
        image_size=data_config.image_size,
        channels=data_config.channels,
        resize=data_config.resize,
        kernel=data_config.kernel,
        crop=data_config.crop,
        flip=data_config.flip,
        color_prob=data_config.color_prob,
    )
