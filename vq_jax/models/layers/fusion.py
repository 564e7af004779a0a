"""Features of a degraded image in the decoder, as CodeFormer's third stage has them."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.ops import winograd
from vq_jax.ops.swish import swish

Fuse = Callable[[Array, int], Array]
"""(a decoder's features [b, h, w, c], their resolution level) -> the same shape."""


def unchanged(x: Float[Array, "b h w c"], level: int) -> Float[Array, "b h w c"]:
    """The `Fuse` of a decoder that sees the codes alone."""
    del level
    return x


class FeatureFusion(nn.Module):
    """Scales and shifts the decoder's features by what the encoder's say.

    x + w (scale ⊙ x + shift), scale and shift being functions of both (2206.11253,
    equation 5). They are 0 at first, so a decoder begins as it was without. Residual
    blocks of 3x3 convolutions make them, of twice the decoder's channels and without
    norms: its features have few channels in small models, and a norm would take their
    size from them.

    Attributes:
        num_blocks: residual blocks; CodeFormer has one.
        dtype: of the convolutions; parameters are float32.
    """

    num_blocks: int
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b h w c"],
        features: Float[Array, "b h w e"],
        fidelity: Float[Array, ""] | float,
    ) -> Float[Array, "b h w c"]:
        """The decoder's `x` with the encoder's `features`, by w = `fidelity`."""
        both = jnp.concatenate([features.astype(x.dtype), x], axis=-1)
        hidden = self._conv(x)(both)
        for _ in range(self.num_blocks):
            inner = self._conv(x)(swish(hidden))
            hidden += self._conv(x)(swish(inner))
        last = self._conv(x, kernel_init=nn.initializers.zeros, name="last")
        scale, shift = jnp.split(last(swish(hidden)), 2, axis=-1)
        return (x + fidelity * (scale * x + shift)).astype(x.dtype)

    def _conv(self, x, **options) -> nn.Conv:
        options = {"conv_general_dilated": winograd.convolve, **options}
        return nn.Conv(2 * x.shape[-1], (3, 3), dtype=self.dtype, **options)


class FeatureFusions(nn.Module):
    """One `FeatureFusion` for each resolution level that has one.

    Attributes:
        levels: those levels; level n has 2ⁿ times fewer rows and columns than an image.
        num_blocks, dtype: of each.
    """

    levels: tuple[int, ...]
    num_blocks: int
    dtype: str = "float32"

    def setup(self):
        self.level = {
            str(n): FeatureFusion(self.num_blocks, self.dtype) for n in self.levels
        }

    def __call__(
        self,
        x: Float[Array, "b h w c"],
        level: int,
        features: Mapping[int, Float[Array, "b _ _ _"]],
        fidelity: Float[Array, ""] | float,
    ) -> Float[Array, "b h w c"]:
        """The decoder's features of a level, fused with those of the encoder there.

        A level that has none comes back as it is.
        """
        if level not in self.levels:
            return x
        return self.level[str(level)](x, features[level], fidelity)
