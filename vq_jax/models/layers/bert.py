"""The block of a bidirectional transformer."""

from typing import Literal

from flax import linen as nn
from jaxtyping import Array, Float


def normal_init():
    """The initialiser of BERT's kernels and embeddings."""
    return nn.initializers.truncated_normal(0.02)


class BertBlock(nn.Module):
    """Self-attention between all positions, and a GELU network at each (1810.04805).

    Both are added to their input. GELU is the approximation by tanh. Softmax and the
    statistics of norms are float32.

    Attributes:
        num_heads: attention heads, which divide the channels.
        mlp_dim: channels inside the network of a position.
        norm: "post" normalises the sums, as BERT does, "pre" the input of each branch.
        norm_epsilon: ε of the norms, added to the variance.
        dropout: fraction of the channels that a branch adds which are set to 0.
        attention_dropout: the same of attention weights, of each head and position.
        dtype: of the computation.
    """

    num_heads: int
    mlp_dim: int
    norm: Literal["post", "pre"]
    norm_epsilon: float
    dropout: float
    attention_dropout: float
    dtype: str

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t c"], *, train: bool
    ) -> Float[Array, "b t c"]:
        for name, branch in (("attention", self._attention), ("mlp", self._mlp)):
            norm = nn.LayerNorm(self.norm_epsilon, self.dtype, name=f"{name}_norm")
            if self.norm == "pre":
                x = x + self._dropped(branch(norm(x), train), train)
            else:
                x = norm(x + self._dropped(branch(x, train), train))
        return x

    def _attention(self, x, train):
        return nn.MultiHeadDotProductAttention(
            self.num_heads,
            dtype=self.dtype,
            dropout_rate=self.attention_dropout,
            broadcast_dropout=False,
            force_fp32_for_softmax=True,
            kernel_init=normal_init(),
            deterministic=not train,
            name="attention",
        )(x)

    def _mlp(self, x, train):
        x, channels = self._dense(self.mlp_dim, "mlp_in")(x), x.shape[-1]
        return self._dense(channels, "mlp_out")(nn.gelu(x))

    def _dense(self, features: int, name: str):
        return nn.Dense(
            features, dtype=self.dtype, kernel_init=normal_init(), name=name
        )

    def _dropped(self, x, train: bool):
        return nn.Dropout(self.dropout, deterministic=not train)(x)
