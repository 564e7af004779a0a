"""How well a tokenizer reconstructs a split: numbers, and a picture."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax

from vq_jax.data import pipeline
from vq_jax.evaluation import pictures
from vq_jax.evaluation.base import Evaluation, Report
from vq_jax.evaluation.image_distances import ImageDistances
from vq_jax.inference.tokenizer import reconstruct
from vq_jax.metrics import accumulate
from vq_jax.ops import images as image_ops
from vq_jax.ops.code_usage import bits_per_pixel
from vq_jax.typing import Variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruction(ImageDistances):
    """Reconstruction quality and use of the codes over a split.

    Beside the distances: usage (fraction of codes used at least once in the split),
    perplexity (of the split's codes), bits_per_pixel (log2 K bits a token); None for a
    model without codes.
    """

    def __call__(self, variables: Variables, nets: Mapping[str, Any]) -> Report:
        found = super().__call__(variables, nets).metrics
        return Report({**found, "bits_per_pixel": self._bits_per_pixel()})

    @functools.cached_property
    def sums(self) -> Callable:
        model = self.subject.model

        def sums(variables, batch, nets):
            images = image_ops.from_uint8(batch["image"])
            output = model.apply(variables, images, train=False)
            return accumulate.masked_sums(
                self.distances(nets, output.recon, images),
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
