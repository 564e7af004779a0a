"""Images, and parts of them, that a prior of normal images finds unlikely.

detector = AnomalyDetector.calibrated(Sampler.load("runs/ar"), [normal_images])
found = detector.detect(images)  # found.nats, found.residual: a number a pixel
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8

from vq_jax.apps.windows import windows
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError
from vq_jax.inference.sampler import Sampler
from vq_jax.ops import code_maps

Images = UInt8[np.ndarray, "n h w c"]

QUANTILE = 0.97
"""Of the nats of codes of normal images; MONAI's tutorial draws 3 % of codes anew."""


class AnomalyMaps(NamedTuple):
    """What is unlikely in images; larger is less normal.

    Attributes:
        nats: float32 [n, h, w], -log p of the codes over the pixels that each spans.
            Where the image has the prior's size and the likelihood is exact, those of
            an image add up to -log p of all its codes.
        residual: float32 [n, h, w], in [0, 255]: how far a pixel is from that of the
            image with unlikely codes drawn anew; a mean over samples and channels.
        redrawn: float32 [n], share of codes that were drawn anew.
    """

    nats: np.ndarray
    residual: np.ndarray
    redrawn: np.ndarray

    @property
    def nats_per_pixel(self) -> Float[np.ndarray, "n"]:
        """Score of each image: the mean of its `nats`."""
        return self.nats.mean(axis=(1, 2))

    @property
    def mean_residual(self) -> Float[np.ndarray, "n"]:
        """Score of each image: the mean of its `residual`."""
        return self.residual.mean(axis=(1, 2))


class _Window(NamedTuple):
    index: tuple[slice, ...]  # of the images' codes
    owned: np.ndarray  # bool [*layout.shape]: codes that it decides about


@dataclasses.dataclass(frozen=True)
class AnomalyDetector:
    """Likelihood maps, and resampling of unlikely codes.

    The method of MONAI's tutorial "anomaly detection with transformers" (after
    2102.11650): codes whose nats are above a threshold are drawn anew, several times,
    and the image is compared with what is decoded. Here the threshold comes from normal
    images alone, codes are drawn from their law and not its mode, and the residual is
    not cut to where codes were unlikely.

    An image that is no multiple of the stride, or smaller than the prior's, is grown by
    repeating its edge, and maps are cropped back. A larger one is seen in windows of
    the prior's size that overlap by half; each code belongs to the window whose middle
    is nearest. The tokenizer sees it whole.

    Attributes:
        sampler: the prior and its tokenizer. No class is given to the prior.
        threshold: nats of a code above which it is drawn anew.
        num_samples: of each image.
        seed: of the draws. What is drawn for an image does not depend on other images.
    """

    sampler: Sampler
    threshold: float
    num_samples: int = 4
    seed: int = 0

    def __post_init__(self):
        check_range(self.threshold, 0.0, where="threshold")
        check_range(self.num_samples, 1, where="num")
        check_range(self.seed, 0, 2**32 - 1, where="seed")

    @classmethod
    def calibrated(
        cls,
        sampler: Sampler,
        normal: Iterable[UInt8[np.ndarray, "_ _ _ _"]],
        *,
        quantile: float = QUANTILE,
        num_samples: int = 4,
        seed: int = 0,
    ) -> "AnomalyDetector":
        """One whose threshold is a quantile of the nats of codes of normal images.

        Args:
            sampler: the prior and its tokenizer.
            normal: batches of images that neither were trained on nor have anomalies.
            quantile: in [0, 1).
            num_samples: of each image.
            seed: of the draws.

        Raises:
            InputError: a number is out of range, there are no images, or the prior has
                no likelihood of single codes.
        """
        check_range(quantile, 0.0, 0.999_999, where="quantile")
        detector = cls(sampler, 0.0, num_samples, seed)
        nats = [detector.code_nats(images)[1].ravel() for images in normal]
        if not sum(map(len, nats)):
            raise InputError("there are no normal images to calibrate the threshold.")
        threshold = float(np.quantile(np.concatenate(nats), quantile))
        return dataclasses.replace(detector, threshold=threshold)

    @property
    def nats_scale(self) -> float:
        """`AnomalyMaps.nats` where all codes are at the threshold."""
        height, width, _ = self.sampler.image_shape
        tokens = self.sampler.prior.layout.num_tokens
        return self.threshold * tokens / (height * width)

    def code_nats(
        self, images: Images
    ) -> tuple[Int[np.ndarray, "n *tokens"], Float[np.ndarray, "n *tokens"]]:
        """The codes of images, grown as said above, and the nats of each.

        Raises:
            InputError: the prior has no likelihood of single codes, or its codes have
                no grid and an image is larger than its images.
        """
        codes = self.sampler.tokenizer.encode(self._grown(images))
        nats = np.zeros(codes.shape, np.float32)
        for index, owned in self._windows(codes.shape[1:]):
            nats[:, *index] += owned * self.sampler.token_nats(codes[:, *index])
        return codes, nats

    def detect(self, images: Images) -> AnomalyMaps:
        """Maps and scores of images of one size.

        Raises:
            InputError: as `code_nats`.
        """
        codes, nats = self.code_nats(images)
        again = nats > self.threshold
        drawn = self._redrawn(codes, again)
        return AnomalyMaps(
            self.nats_map(nats, images.shape[1:3]),
            self._residual(images, drawn),
            again.reshape(len(again), -1).mean(axis=1).astype(np.float32),
        )

    def nats_map(
        self, nats: Float[np.ndarray, "n *tokens"], size: Sequence[int]
    ) -> Float[np.ndarray, "n h w"]:
        """The nats of codes over the pixels of images of this size."""
        layout, (height, width) = self.sampler.prior.layout, self._grown_size(size)
        if len(layout.shape) == 1:
            grids = [*map(np.asarray, layout.to_grids(jnp.asarray(nats)))]
        else:
            grids = [nats.reshape(*nats.shape[:3], -1).sum(axis=-1)]
        return code_maps.pixel_density(grids, height, width)[:, : size[0], : size[1]]

    def _redrawn(self, codes, again) -> Int[np.ndarray, "n samples *tokens"]:
        drawn = np.repeat(codes[:, None], self.num_samples, axis=1)
        for number, (index, owned) in enumerate(self._windows(codes.shape[1:])):
            if not again[:, *index].any():
                continue
            # Of its own, so that windows do not repeat each other's draws.
            own = np.random.SeedSequence([self.seed, number]).generate_state(1)
            found = self.sampler.redraw(
                codes[:, *index],
                again[:, *index],
                count=self.num_samples,
                seed=int(own[0]),
            )
            drawn[:, :, *index] = np.where(owned, found, drawn[:, :, *index])
        return drawn

    def _residual(self, images, drawn) -> Float[np.ndarray, "n h w"]:
        height, width = images.shape[1:3]
        made = self.sampler.decode(drawn.reshape(-1, *drawn.shape[2:]))
        made = made[:, :height, :width].reshape(*drawn.shape[:2], *images.shape[1:])
        apart = np.abs(made.astype(np.float32) - images[:, None])
        return apart.mean(axis=(1, 4))

    def _grown_size(self, size: Sequence[int]) -> tuple[int, int]:
        least, stride = self.sampler.image_shape[0], self.sampler.tokenizer.stride
        height, width = (max(least, -(-side // stride) * stride) for side in size[:2])
        return height, width

    def _grown(self, images: Images) -> UInt8[np.ndarray, "n h2 w2 c"]:
        if np.ndim(images) != 4:
            raise InputError(
                f"images are of shape {np.shape(images)}; give uint8 [n, h, w, c]."
            )
        size = self._grown_size(images.shape[1:3])
        missing = [
            (0, side - own) for side, own in zip(size, images.shape[1:3], strict=True)
        ]
        if len(self.sampler.prior.layout.shape) == 1:
            self._check_size(size)
        return np.pad(images, ((0, 0), *missing, (0, 0)), mode="edge")

    def _check_size(self, size: tuple[int, int]) -> None:
        least = self.sampler.image_shape[0]
        if size != (least, least):
            raise InputError(
                f"the image, grown to {size[1]}x{size[0]}, is larger than the {least} "
                "px of the prior, whose codes have no grid to cut windows from; scale "
                "it down, or take a prior of another tokenizer."
            )

    def _windows(self, tokens: tuple[int, ...]) -> list[_Window]:
        shape = self.sampler.prior.layout.shape
        if len(shape) == 1:
            return [_Window((slice(None),), np.ones(shape, bool))]
        axes = []
        for length, side in zip(tokens[:2], shape[:2], strict=True):
            starts, owners = windows(length, side)
            axes.append(
                [
                    (slice(start, start + side), owners[start : start + side] == number)
                    for number, start in enumerate(map(int, starts))
                ]
            )
        levels = (1,) * (len(shape) - 2)
        return [
            _Window(
                (rows, columns), np.outer(own, own_columns).reshape(*shape[:2], *levels)
            )
            for (rows, own), (columns, own_columns) in itertools.product(*axes)
        ]
