"""A bidirectional transformer from features on a grid to logits of codes."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers.bert import BertBlock, normal_init


class CodeTransformer(nn.Module):
    """Logits of the codes of all positions of a grid, from features of all of them.

    Positions are learnt, so a grid has always the size of the first one.

    Attributes:
        num_layers, hidden_dim, num_heads, mlp_dim, dropout: of the blocks, which
            normalise their inputs.
        head: "linear" is CodeFormer's: a linear map to K logits, 0 at first, so that
            all codes are equally likely. "distance" moves the features by a linear map,
            0 at first, and takes -s times their squared distance from each code over
            the codes' variance; so it begins with the nearest code, as the tokenizer
            would choose, and has no parameters for each code. s > 0 is learnt.
        dtype: of the blocks; logits are float32.
    """

    num_layers: int
    hidden_dim: int
    num_heads: int
    mlp_dim: int
    dropout: float
    head: Literal["linear", "distance"]
    dtype: str

    @nn.compact
    def __call__(
        self,
        features: Float[Array, "b hq wq d"],
        codes: Float[Array, "k d"],
        *,
        train: bool,
    ) -> Float[Array, "b hq wq k"]:
        count, height, width, _ = features.shape
        x = nn.Dense(
            self.hidden_dim, dtype=self.dtype, kernel_init=normal_init(), name="input"
        )(features.reshape(count, height * width, -1))
        shape = (1, height * width, self.hidden_dim)
        positions = self.param("positions", normal_init(), shape)
        x = x + positions.astype(x.dtype)
        for layer in range(self.num_layers):
            x = self._block(f"block_{layer}")(x, train=train)
        x = nn.LayerNorm(1e-6, self.dtype, name="last_norm")(x)
        x = x.reshape(count, height, width, -1)
        if self.head == "linear":
            return self._zero_map(len(codes))(x)
        return self._from_distance(features + self._zero_map(codes.shape[-1])(x), codes)

    def _from_distance(self, x, codes):
        codes = codes.astype(jnp.float32)
        log_scale = self.param("log_scale", nn.initializers.constant(3.0), ())
        variance = jnp.sum(jnp.var(codes, axis=0)) + 1e-12
        # Without |x|², which is the same for all codes.
        norms = jnp.sum(jnp.square(codes), axis=-1)[None, None, None]
        return jnp.exp(log_scale) / variance * (2.0 * x @ codes.T - norms)

    def _zero_map(self, channels: int):
        zeros = nn.initializers.zeros
        return nn.Dense(channels, dtype="float32", kernel_init=zeros, name="head")

    def _block(self, name: str):
        return BertBlock(
            num_heads=self.num_heads,
            mlp_dim=self.mlp_dim,
            norm="pre",
            norm_epsilon=1e-6,
            dropout=self.dropout,
            attention_dropout=0.0,
            dtype=self.dtype,
            name=name,
        )
