"""Product quantisation: the channels are split between several quantizers."""

import jax.numpy as jnp
from jaxtyping import Array, Int

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.composed import RepeatedQuantizer, means


class ProductQuantizer(RepeatedQuantizer):
    """Splits the channels of `z_e` equally between several quantizers, its heads.

    Jégou et al. 2011. With LFQ heads it is the group-wise LFQ of WeTok, with residual
    heads the grouped residual VQ of HiFi-Codec (2305.02765). After the grid, indices
    have an axis of heads, then the axes of the inner quantizer. Loss and metrics are
    means over heads, so that the weight of a loss does not depend on their number.

    Attributes:
        inner: the quantizer of one head, for D / num_heads channels.
        num_heads: number of heads.
    """

    num_heads: ranges.Repeats = 2

    AXIS = "heads"

    @property
    def input_dim(self) -> int:
        return self.num_heads * self.template.input_dim

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        slices = jnp.split(z_e, self.num_heads, axis=-1)
        by_head = [
            head(channels, train=train)
            for head, channels in zip(self.copies(), slices, strict=True)
        ]
        z_q = jnp.concatenate([out.z_q for out in by_head], axis=-1)
        indices = jnp.stack([out.indices for out in by_head], axis=3)
        return base.QuantizerOutput(z_q.astype(self.dtype), indices, **means(by_head))

    def lookup(self, indices: Int[Array, "b hq wq *h"]) -> base.Latents:
        slices = [
            head.lookup(indices[:, :, :, i]) for i, head in enumerate(self.copies())
        ]
        return jnp.concatenate(slices, axis=-1).astype(self.dtype)

    def init_from_data(self, z_e: base.Latents) -> None:
        slices = jnp.split(z_e, self.num_heads, axis=-1)
        if self.shared:  # one codebook for the vectors of all heads
            slices = [jnp.concatenate(slices)]
        for head, channels in zip(self.heads, slices, strict=True):
            head.init_from_data(channels)
