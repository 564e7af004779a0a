"""How well a tokenizer reconstructs a split: numbers, and a picture."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax

from vq_jax import sharding
from vq_jax.config import ranges
from vq_jax.data import pipeline
from vq_jax.errors import InputError
from vq_jax.evaluation import pictures
from vq_jax.evaluation.base import Evaluation, Report
from vq_jax.inference.tokenizer import reconstruct
from vq_jax.metrics import accumulate
from vq_jax.metrics.lpips import lpips
from vq_jax.metrics.ssim import WINDOW_SIZE
from vq_jax.models.perceptual.lpips import NETS
from vq_jax.ops import images as image_ops
from vq_jax.ops.code_usage import bits_per_pixel
from vq_jax.pretrained.lpips import lpips_nets
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruction(Evaluation):
    """Reconstruction quality and use of the codes over a split.

    Every image counts once, whatever the batch size. psnr (dB, uint8, per image, then
    averaged), ssim (Gaussian window 11, σ 1.5), l1 and l2 (images in [-1, 1]), usage
    (fraction of codes used at least once in the split), perplexity (of the split's
    codes), bits_per_pixel (log2 K bits a token), num_images; lpips_NET (of uint8
    images). Those about codes are None for a model without codes.

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
        return lpips_nets(self.lpips)

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        batches = self.subject.batches(self.batch_size, limit=self.max_images or None)
        nets = {net: nets[net] for net in self.nets}
        sums = accumulate.merge_all(
            self._sums(variables, batch, nets) for batch in batches
        )
        return Report({**sums.compute(), "bits_per_pixel": self._bits_per_pixel()})

    @functools.cached_property
    def _sums(self) -> Callable:
        """Sums over a batch: (variables, batch, nets) -> MetricSums, compiled."""
        model = self.subject.model

        def sums(variables, batch, nets):
            images = image_ops.from_uint8(batch["image"])
            output = model.apply(variables, images, train=False)
            return accumulate.masked_sums(
                {
                    **accumulate.image_metrics(output.recon, images),
                    **lpips(nets, output.recon, images),
                },
                batch["mask"] > 0,
                output.quantized.indices,
                model.quantizer.codebook_size or None,
                model.quantizer.num_codebooks,
            )

        return self.subject.compile(sums)

    def _bits_per_pixel(self) -> float | None:
        model, size = self.subject.model, self.subject.data.image_size
        codebook_size = model.quantizer.codebook_size
        if not codebook_size:
            return None
        tokens = math.prod(model.tokens_shape(size, size))
        return bits_per_pixel(tokens, codebook_size, size**2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReconstructionPictures(Evaluation):
    """The first images of a split above their reconstructions, "reconstructions"."""

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        recons = jax.device_get(self._reconstruct(variables, self._images))
        grid = pictures.comparison_grid(self._images, recons)
        return Report(pictures={"reconstructions": grid})

    @functools.cached_property
    def _images(self):
        data, split = self.subject.data, self.subject.split
        return pipeline.first_images(data, split, pictures.NUM_PICTURES)

    @functools.cached_property
    def _reconstruct(self) -> Callable:
        """(variables, uint8 [b, h, w, c]) -> uint8 of the same shape, compiled."""
        return self.subject.compile(functools.partial(reconstruct, self.subject.model))
