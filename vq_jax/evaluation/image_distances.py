"""What evaluations that compare images with those of a split share."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
from jaxtyping import Array, Float

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.evaluation.base import Evaluation, Report
from vq_jax.metrics import accumulate
from vq_jax.metrics.lpips import lpips
from vq_jax.metrics.ssim import WINDOW_SIZE
from vq_jax.models.perceptual.lpips import NETS
from vq_jax.pretrained.lpips import lpips_nets
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageDistances(Evaluation):
    """Distances of images from those of a split, each of which counts once.

    psnr (dB, uint8, per image, then averaged), ssim (Gaussian window 11, σ 1.5), l1 and
    l2 (images in [-1, 1]), lpips_NET (of uint8 images), num_images, whatever the batch
    size.

    Attributes:
        batch_size: images of a global batch.
        max_images: only so many of the split; 0 is all of them.
        lpips: networks that LPIPS is computed with, of "alexnet" and "vgg16".
    """

    batch_size: ranges.Count = 64
    max_images: ranges.Natural = 0
    lpips: tuple[Literal[tuple(NETS)], ...] = ()

    def __post_init__(self):
        sharding.check_batch_size(
            self.batch_size, self.subject.mesh, f"{self.where}.batch_size"
        )
        if self.subject.data.image_size < WINDOW_SIZE:
            raise InputError(
                f"config.data.image_size={self.subject.data.image_size} is too small "
                f"for {self.where}: SSIM has a window of {WINDOW_SIZE}. Train on "
                "larger images, or leave that section out of the configuration."
            )

    @property
    def nets(self):
        return {**super().nets, **lpips_nets(self.lpips)}

    @property
    @abc.abstractmethod
    def sums(self) -> Callable:
        """Sums over a batch: (variables, batch, nets) -> MetricSums, compiled once."""

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        batches = self.subject.batches(self.batch_size, limit=self.max_images or None)
        nets = {net: nets[net] for net in self.nets}
        sums = accumulate.merge_all(
            self.sums(variables, batch, nets) for batch in batches
        )
        return Report(sums.compute())

    def distances(
        self,
        nets: Mapping[str, Any],
        found: Float[Array, "b h w c"],
        images: Float[Array, "b h w c"],
    ) -> dict[str, jax.Array]:
        """Those of each image, [b]; both arguments are nominally in [-1, 1]."""
        of_lpips = {net: nets[net] for net in self.lpips}
        return {
            **accumulate.image_metrics(found, images),
            **lpips(of_lpips, found, images),
        }
