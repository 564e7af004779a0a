"""Images of any size for a model: whole, resized, or cropped as in training."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from vq_jax.config.checks import check_choice
from vq_jax.data import transforms
from vq_jax.data.sources import Record
from vq_jax.inference.padding import pad_to_multiple

FITS = ("whole", "resize", "crop")


class FittedImage(NamedTuple):
    """An image that a model takes, and the record it was made from."""

    image: np.ndarray  # uint8 [h, w, c]; h and w are multiples of the stride
    size: tuple[int, int]  # height and width before padding
    label: int
    name: str


@dataclasses.dataclass(frozen=True)
class Fit:
    """From records of any size to images that a model takes; prints as a sentence.

    Attributes:
        kind: "whole" keeps all pixels; "resize" scales the whole image so that its
            shorter side is that of training; "crop" cuts the centre out of it, as
            evaluations during training do.
        data: `config.data` of the run.
        stride: of the model. Images are padded to its multiples at right and bottom, by
            repeating their edge.
    """

    kind: str
    data: ConfigDict
    stride: int

    def __post_init__(self):
        check_choice(self.kind, FITS, "fit")

    def __call__(self, record: Record) -> FittedImage:
        image = self._crop(record) if self.kind == "crop" else self._whole(record)
        padded = pad_to_multiple(image, self.stride)
        return FittedImage(padded, image.shape[:2], record["label"], record["name"])

    def __str__(self):
        size, kernel = self.data.image_size, self.data.kernel
        shorter = f"the shorter side scaled to {size} pixels ({kernel})"
        if self.kind == "crop":
            cut = f"the {size}x{size} pixels in the centre of each image"
            return f"{cut}, {shorter}" if self.data.resize == "shorter_side" else cut
        padded = f"padded to multiples of {self.stride} by repeating the edge"
        scaled = f"{shorter}, " if self.kind == "resize" else ""
        return f"whole images, {scaled}{padded}"

    def _crop(self, record: Record) -> np.ndarray:
        return self._transform(record)["image"]

    @functools.cached_property
    def _transform(self) -> transforms.EvalTransform:
        return transforms.eval_transform(self.data)

    def _whole(self, record: Record) -> np.ndarray:
        data, image = self.data, record["image"]
        if self.kind == "resize":
            image = transforms.resize(
                image, data.image_size, "shorter_side", data.kernel
            )
        return transforms.to_channels(image, data.channels)
