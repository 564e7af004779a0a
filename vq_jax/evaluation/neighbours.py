"""Whether a prior repeats its training images: the nearest ones of its samples."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, UInt8

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.data.transforms import eval_transform
from vq_jax.evaluation import pictures
from vq_jax.evaluation.base import Report
from vq_jax.evaluation.image_batches import ImageBatches
from vq_jax.evaluation.prior import PriorEvaluation
from vq_jax.evaluation.small_images import shrunk
from vq_jax.inference.labels import balanced_labels
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class Neighbours(PriorEvaluation):
    """Distance of samples to the nearest training image, and a picture of the pairs.

    nearest_samples is the median over samples of the distance to their nearest training
    image, beside the same of two other sets: nearest_held_out of held-out images
    through the tokenizer, which is what samples of a perfect prior would have, and
    nearest_copies of training images through the tokenizer, which is what a prior has
    that repeats what it learnt from. The distance is the root of the mean squared
    difference of pixels and channels, in grey levels of [0, 255], of images scaled to
    at most 32 pixels a side (antialiased). "neighbours" shows samples above their
    nearest training images.

    Attributes:
        batch_size: images of a global batch.
        num_images: of each of the three sets, or as many as there are.
        seed: of the draws, and of the choice of real images.
    """

    batch_size: ranges.Count = 64
    num_images: ranges.Count = 1_000
    seed: ranges.Natural = 0

    def __post_init__(self):
        sharding.check_batch_size(
            self.batch_size, self.subject.mesh, f"{self.where}.batch_size"
        )

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        subject, images = self.subject, self._images
        variables = subject.variables(variables, nets)
        labels = balanced_labels(self.num_images, subject.model.num_classes)
        train = subject.data.train_split
        samples = _gather(images.samples(variables, labels))
        sets = {"samples": samples} | {
            name: _gather(
                images.reconstructions(variables, images.real(split, self.num_images))
            )
            for name, split in {"held_out": subject.split, "copies": train}.items()
        }
        sizes = np.cumsum([len(group) for group in sets.values()])[:-1]
        distances, nearest = self._search(np.concatenate([*sets.values()]))
        medians = {
            f"nearest_{name}": float(np.median(part))
            for name, part in zip(sets, np.split(distances, sizes), strict=True)
        }
        shown = samples[: pictures.NUM_PICTURES]
        grid = pictures.comparison_grid(
            shown, self._train_images(nearest[: len(shown)])
        )
        return Report(medians, {"neighbours": grid})

    def _search(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance of each query to the nearest training image, and its position."""
        best = np.full(len(queries), np.inf, np.float32), np.zeros(len(queries), int)
        queries = self._prepare(queries)
        for number, batch in enumerate(
            self._images.real(self.subject.data.train_split)
        ):
            squares, row = jax.device_get(
                self._nearest(queries, batch["image"], batch["mask"])
            )
            closer = squares < best[0]
            best[0][closer] = squares[closer]
            best[1][closer] = number * self.batch_size + row[closer]
        return 127.5 * np.sqrt(best[0]), best[1]

    @functools.cached_property
    def _prepare(self) -> Callable:
        """uint8 images -> vectors on every device, compiled."""
        return self.subject.compile(_vectors)

    @functools.cached_property
    def _nearest(self) -> Callable:
        """(vectors, images, mask) -> distances and rows, compiled."""

        def nearest(queries, images, mask):
            return nearest_image(queries, _vectors(images), mask > 0)

        return self.subject.compile(nearest)

    def _train_images(self, positions: np.ndarray) -> np.ndarray:
        data = self.subject.data
        records = self._images.records(data.train_split)
        transform = eval_transform(data)
        return np.stack([transform(records[int(i)])["image"] for i in positions])

    @functools.cached_property
    def _images(self) -> ImageBatches:
        return ImageBatches(self.subject, self.batch_size, self.seed)


def nearest_image(
    queries: Float[Array, "n p"], images: Float[Array, "b p"], mask
) -> tuple[Float[Array, "n"], Array]:
    """Mean squared difference to the nearest of the images where the mask is True.

    And its row. It is at least 0, whatever rounding does.
    """
    products = jnp.matmul(queries, images.T, precision=lax.Precision.HIGHEST)
    lengths = [jnp.sum(jnp.square(x), axis=1) for x in (queries, images)]
    squares = lengths[0][:, None] + lengths[1][None] - 2.0 * products
    squares = jnp.where(mask[None], jnp.maximum(squares, 0.0), jnp.inf)
    row = jnp.argmin(squares, axis=1)
    return jnp.min(squares, axis=1) / queries.shape[1], row


def _vectors(images: UInt8[Array, "b h w c"]) -> Float[Array, "b p"]:
    """Shrunk images, as vectors."""
    return shrunk(images).reshape(len(images), -1)


def _gather(batches: Iterable[dict]) -> np.ndarray:
    """All images of the batches but for padding, uint8 [n, h, w, c]."""
    parts = [jax.device_get((batch["image"], batch["mask"])) for batch in batches]
    return np.concatenate([images[mask > 0] for images, mask in parts])
