"""Product quantisation: the channels are split between several quantizers."""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Int

from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.composed import ComposedQuantizer


class ProductQuantizer(ComposedQuantizer):
    """Splits the channels of `z_e` equally between several quantizers, its heads.

    Jégou et al. 2011. With LFQ heads it is the group-wise LFQ of WeTok, with residual
    heads the grouped residual VQ of HiFi-Codec (2305.02765). After the grid, indices
    have an axis of heads, then the axes of the inner quantizer. Loss and metrics are
    means over heads, so that the weight of a loss does not depend on their number.

    Attributes:
        inner: the quantizer of one head, for D / num_heads channels.
        num_heads: number of heads.
        shared: whether all heads have the same codebook.
    """

    num_heads: int = 2
    shared: bool = False

    def setup(self):
        super().setup()
        base.check_range("num_heads", self.num_heads, 1)
        count = 1 if self.shared else self.num_heads
        self.heads = [self.inner.clone() for _ in range(count)]

    @property
    def input_dim(self) -> int:
        return self.num_heads * self.template.input_dim

    @property
    def num_codebooks(self) -> int:
        return self.template.num_codebooks * (1 if self.shared else self.num_heads)

    @property
    def token_axes(self) -> tuple[str, ...]:
        inner = self.template.token_axes
        return (*inner[:2], "heads", *inner[2:])

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        inner = self.template.tokens_shape(height, width)
        return (*inner[:2], self.num_heads, *inner[2:])

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        slices = jnp.split(z_e, self.num_heads, axis=-1)
        by_head = [
            head(channels, train=train)
            for head, channels in zip(self._heads(), slices, strict=True)
        ]
        z_q = jnp.concatenate([out.z_q for out in by_head], axis=-1)
        return base.QuantizerOutput(
            z_q=z_q.astype(self.dtype),
            indices=jnp.stack([out.indices for out in by_head], axis=3),
            loss=sum(out.loss for out in by_head) / self.num_heads,
            metrics=mean_metrics(by_head),
        )

    def lookup(self, indices: Int[Array, "b hq wq *h"]) -> base.Latents:
        slices = [
            head.lookup(indices[:, :, :, i]) for i, head in enumerate(self._heads())
        ]
        return jnp.concatenate(slices, axis=-1).astype(self.dtype)

    def init_from_data(self, z_e: base.Latents) -> None:
        slices = jnp.split(z_e, self.num_heads, axis=-1)
        if self.shared:  # one codebook for the vectors of all heads
            slices = [jnp.concatenate(slices)]
        for head, channels in zip(self.heads, slices, strict=True):
            head.init_from_data(channels)

    def update(self) -> None:
        for head in self.heads:
            head.update()

    @nn.nowrap
    def _heads(self):
        """The quantizer of each head, the same one where they share a codebook."""
        return self.heads * self.num_heads if self.shared else self.heads


def mean_metrics(results: list[base.QuantizerOutput]) -> dict:
    """The mean of each metric over several quantizers of one family."""
    return {
        name: sum(out.metrics[name] for out in results) / len(results)
        for name in results[0].metrics
    }
