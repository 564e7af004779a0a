"""Several heads: channels split into parts, each with a quantizer of its own."""

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.composed import ComposedQuantizer


class ProductQuantizer(ComposedQuantizer):
    """Channels in `num_heads` equal parts, each quantised (Jégou et al. 2011).

    With LFQ heads it is the group-wise LFQ of WeTok, with residual heads the grouped
    residual VQ of HiFi-Codec (2305.02765). Indices have a last axis of heads, before
    those of the inner quantizer. Loss and metrics are means over heads, so that a
    loss's weight does not depend on their number.

    Attributes:
        inner: the quantizer of a head, of dimension D / num_heads.
        num_heads: number of parts.
        shared: whether one codebook serves all heads.
    """

    num_heads: int = 2
    shared: bool = False

    def setup(self):
        super().setup()
        base.check_range("num_heads", self.num_heads, 1)
        count = 1 if self.shared else self.num_heads
        self.heads = [self.inner.clone() for _ in range(count)]

    @property
    def latent_dim(self) -> int:
        return self.num_heads * self.template.latent_dim

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

    def __call__(
        self, z_e: Float[Array, "b hq wq d"], *, train: bool
    ) -> base.QuantizerOutput:
        parts = jnp.split(z_e, self.num_heads, axis=-1)
        outputs = [
            head(part, train=train)
            for head, part in zip(self._heads(), parts, strict=True)
        ]
        z_q = jnp.concatenate([out.z_q for out in outputs], axis=-1)
        return base.QuantizerOutput(
            z_q=z_q.astype(self.dtype),
            indices=jnp.stack([out.indices for out in outputs], axis=3),
            loss=sum(out.loss for out in outputs) / self.num_heads,
            metrics=mean_metrics(outputs),
        )

    def lookup(self, indices: Int[Array, "b hq wq *h"]) -> Float[Array, "b hq wq d"]:
        parts = [
            head.lookup(indices[:, :, :, i]) for i, head in enumerate(self._heads())
        ]
        return jnp.concatenate(parts, axis=-1).astype(self.dtype)

    def start(self, z_e: Float[Array, "b hq wq d"]) -> None:
        parts = jnp.split(z_e, self.num_heads, axis=-1)
        if self.shared:  # one codebook for the vectors of all heads
            parts = [jnp.concatenate(parts)]
        for head, part in zip(self.heads, parts, strict=True):
            head.start(part)

    def update(self) -> None:
        for head in self.heads:
            head.update()

    @nn.nowrap
    def _heads(self):
        return self.heads * self.num_heads if self.shared else self.heads


def mean_metrics(outputs: list[base.QuantizerOutput]) -> dict:
    """Each metric's mean over outputs of quantizers of one family."""
    return {
        name: sum(out.metrics[name] for out in outputs) / len(outputs)
        for name in outputs[0].metrics
    }
