"""Images with their classes, in memory."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Int, UInt8
from ml_collections import ConfigDict

from vq_jax.data import pipeline, transforms
from vq_jax.errors import InputError

MAX_BYTES = 2**32


@dataclasses.dataclass(frozen=True)
class LabelledImages:
    """A set of images that a classifier is trained or tested on.

    Attributes:
        images: uint8 [n, h, w, c].
        labels: int32 [n].
    """

    images: UInt8[np.ndarray, "n h w c"]
    labels: Int[np.ndarray, "n"]

    def __len__(self) -> int:
        return len(self.images)

    def __add__(self, other: "LabelledImages") -> "LabelledImages":
        """This set, and then the other."""
        images = np.concatenate([self.images, other.images])
        return LabelledImages(images, np.concatenate([self.labels, other.labels]))

    def per_class(self, num_classes: int) -> list[int]:
        """How many images each class has."""
        return np.bincount(self.labels, minlength=num_classes).tolist()

    @functools.cached_property
    def contents(self) -> list[bytes]:
        """The bytes of each image."""
        return [image.tobytes() for image in self.images]


def read_split(data: ConfigDict, split: str, num_classes: int) -> LabelledImages:
    """All images of a split, resized and cropped as in evaluation.

    Args:
        data: `config.data`.
        split: of the source.
        num_classes: each label has to be below.

    Raises:
        InputError: an image has no label, or one of no class; or all of them together
            take more than 4 GiB.
    """
    records = pipeline.open_records(data, split)
    size = data.image_size**2 * data.channels
    if len(records) * size > MAX_BYTES:
        raise InputError(
            f"config.data.source={data.source!r}: the {len(records)} images of split "
            f"{split!r} take {len(records) * size / 2**30:.0f} GiB at "
            f"config.data.image_size={data.image_size}, and they have to fit into 4; "
            "take a smaller split, as train[:10000], or smaller images."
        )
    prepare = transforms.eval_transform(data)
    found = pipeline.each_record(
        data, records, range(len(records)), lambda _, record: prepare(record)
    )
    found = [*found]
    labels = np.array([element["label"] for element in found], np.int32)
    others = sorted({*labels.tolist()} - {*range(num_classes)})
    if others or not len(labels):
        raise InputError(
            f"config.data.source={data.source!r}: split {split!r} has the labels "
            f"{others[:5]} (-1: none), and the prior knows the classes 0 to "
            f"{num_classes - 1}; a classifier needs images of these."
        )
    return LabelledImages(np.stack([element["image"] for element in found]), labels)
