"""Style transfer by the statistics of latents, without any optimisation."""

import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Array, Float, Int

from vq_jax import compiler
from vq_jax.apps.style.restyler import Image, Restyler
from vq_jax.ops import adain


class AdainStyle(Restyler):
    """Gives `z_e` of the content image the style's channel statistics, then quantises.

    Mean and standard deviation of each channel are those of the style image's `z_e`
    (AdaIN, Huang and Belongie 1703.06868), of which `strength` says how much. Their
    decoder is trained for such features, and in those of a network that recognises
    objects; here both are the tokenizer's as it is.

    The style image is cropped to multiples of the stride, at right and bottom, since
    pixels that padding adds would count.
    """

    def latents(
        self, padded: Image, style: Image, strength: float
    ) -> Float[Array, "1 hq wq d"]:
        """`z_e` with the statistics moved, before it is quantised.

        Args:
            padded: the content image, of multiples of the stride.
            style: of `min_side` or more.
            strength: in [0, 1].
        """
        stride = self.tokenizer.stride
        height, width = (side // stride * stride for side in style.shape[:2])
        variables = self.tokenizer.variables
        z_e = self._latents(variables, padded[None])
        others = self._latents(variables, style[None, :height, :width])
        return self._moved(z_e, others, strength)

    @property
    def min_side(self) -> int:
        return self.tokenizer.stride

    def _restyled(
        self, padded: Image, style: Image, strength: float
    ) -> Int[np.ndarray, "1 *tokens"]:
        z_e = self.latents(padded, style, strength)
        return np.asarray(self._quantized(self.tokenizer.variables, z_e))

    @functools.cached_property
    def _moved(self) -> Callable:
        def moved(z_e, others, strength):
            return adain.adain(z_e, adain.channel_statistics(others), strength)

        return compiler.jit(moved)
