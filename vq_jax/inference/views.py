"""Several crops and mirror images of an image, the same ones whoever makes them."""

import dataclasses
import functools

import numpy as np

from vq_jax.config.checks import check_range
from vq_jax.data.sources import Record
from vq_jax.data.transforms import TrainTransform, flip, train_transform
from vq_jax.errors import InputError
from vq_jax.inference.fit import Fit, FittedImage
from vq_jax.inference.padding import pad_to_multiple


@dataclasses.dataclass(frozen=True, kw_only=True)
class Views:
    """From a record to the views of it that are encoded; prints as a sentence.

    The first is what `fit` makes of the image; further crops are random, as training
    crops (`config.data.crop`), without its mirroring and colours. A crop depends on the
    seed, the index of its record and its own number, and on nothing else. With `mirror`
    each crop is followed by its mirror image.

    Attributes:
        fit: makes the first crop.
        crops: number of crops.
        mirror: whether there are mirror images, too.
        seed: of the random crops, 0 or more.

    Raises:
        InputError: more than one crop of images that are not cropped, or are cropped in
            the centre only.
    """

    fit: Fit
    crops: int = 1
    mirror: bool = False
    seed: int = 0

    def __post_init__(self):
        check_range(self.crops, 1, where="--crops")
        check_range(self.seed, 0, where="--seed")
        if self.crops == 1:
            return
        if self.fit.kind != "crop":
            raise InputError(
                f"--crops={self.crops} takes parts of images, and --fit="
                f"{self.fit.kind} takes them whole; give --fit=crop, or leave --crops "
                "out."
            )
        if self.fit.data.crop == "center":
            raise InputError(
                f"--crops={self.crops} would be as many times the same one: the run "
                "has config.data.crop='center'. Give --crop=random or random_resized."
            )

    def __len__(self) -> int:
        return self.crops * (1 + self.mirror)

    def __call__(self, index: int, record: Record) -> list[FittedImage]:
        """All views of the record with this index."""
        views = []
        for crop in range(self.crops):
            fitted = self._crop(index, record, crop) if crop else self.fit(record)
            views.append(fitted)
            if self.mirror:
                views.append(self._mirrored(fitted))
        return views

    def __str__(self):
        parts = [str(self.fit)]
        if self.crops > 1:
            parts.append(
                f"and {self.crops - 1} crops at random ({self.fit.data.crop}, seed "
                f"{self.seed})"
            )
        if self.mirror:
            parts.append("each with its mirror image")
        return ", ".join(parts)

    def _crop(self, index: int, record: Record, crop: int) -> FittedImage:
        rng = np.random.default_rng((self.seed, index, crop))
        return self._fitted(self._transform(record, rng)["image"], record)

    @functools.cached_property
    def _transform(self) -> TrainTransform:
        transform = train_transform(self.fit.data)
        return dataclasses.replace(transform, flip=False, color_prob=0.0)

    def _mirrored(self, fitted: FittedImage) -> FittedImage:
        height, width = fitted.size
        image = flip(fitted.image[:height, :width])
        return fitted._replace(image=pad_to_multiple(image, self.fit.stride))

    def _fitted(self, image: np.ndarray, record: Record) -> FittedImage:
        padded = pad_to_multiple(image, self.fit.stride)
        return FittedImage(padded, image.shape[:2], record["label"], record["name"])
