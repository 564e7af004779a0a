"""A bidirectional transformer that predicts masked tokens."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from vq_jax.models.layers.bert import BertBlock, normal_init


class MaskedTransformer(nn.Module):
    """Logits of the codes of all tokens, from the tokens that are not masked.

    The sequence is a class and then the tokens, with learnt positions. A masked token
    has the index K: it is an input only, logits are of the K codes.

    Attributes:
        codebook_size: K.
        num_classes: rows of the embedding of classes.
        num_layers: blocks.
        hidden_dim: channels.
        num_heads, mlp_dim, norm, norm_epsilon, dropout, attention_dropout: of the
            blocks; the embeddings are normalised and dropped out, too.
        head: "linear" is a linear map that is 0 at first, so that all codes are equally
            likely. "tied" is MaskGIT's: a dense layer, GELU and a norm, and products
            with the embeddings of the codes, plus a bias.
        remat: computes a block again for its gradient in place of keeping it.
        dtype: of the computation; logits are float32.
    """

    codebook_size: int
    num_classes: int
    num_layers: int
    hidden_dim: int
    num_heads: int
    mlp_dim: int
    norm: Literal["post", "pre"]
    norm_epsilon: float
    dropout: float
    attention_dropout: float
    head: Literal["linear", "tied"]
    remat: bool
    dtype: str

    @nn.compact
    def __call__(
        self, tokens: Int[Array, "b t"], classes: Int[Array, "b"], *, train: bool
    ) -> Float[Array, "b t k"]:
        codes = self._embed(self.codebook_size + 1, "codes")
        x = self._inputs(
            codes(tokens), self._embed(self.num_classes, "classes")(classes)
        )
        x = nn.Dropout(self.dropout, deterministic=not train)(x)

        def apply(block, x):
            return block(x, train=train)

        if self.remat:
            apply = nn.remat(apply)
        for layer in range(self.num_layers):
            x = apply(self._block(f"block_{layer}"), x)
        if self.norm == "pre":
            x = self._norm("last_norm")(x)
        return self._logits(x[:, 1:], codes)

    def _inputs(self, codes, classes):
        x = jnp.concatenate([classes[:, None], codes], axis=1)
        shape = (1, x.shape[1], self.hidden_dim)
        positions = self.param("positions", normal_init(), shape)
        x = x + positions.astype(x.dtype)
        # Of a pre-norm network the sum of all branches should not drown the input.
        return self._norm("embedding_norm")(x)

    def _logits(self, x, codes: nn.Embed):
        if self.head == "linear":
            zeros = nn.initializers.zeros
            head = nn.Dense(self.codebook_size, dtype="float32", kernel_init=zeros)
            return head(x)
        x = nn.Dense(
            self.hidden_dim,
            dtype=self.dtype,
            kernel_init=normal_init(),
            name="head_dense",
        )(x)
        x = self._norm("head_norm")(nn.gelu(x))
        bias = self.param(
            "head_bias", nn.initializers.zeros, (1, 1, self.codebook_size)
        )
        kernel = codes.embedding[: self.codebook_size].astype(self.dtype)
        # Summed in float32: logits that are rounded to bfloat16 are no longer a law.
        logits = jnp.matmul(x, kernel.T, preferred_element_type=jnp.float32)
        return logits + bias

    def _block(self, name: str):
        return BertBlock(
            num_heads=self.num_heads,
            mlp_dim=self.mlp_dim,
            norm=self.norm,
            norm_epsilon=self.norm_epsilon,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            dtype=self.dtype,
            name=name,
        )

    def _norm(self, name: str):
        return nn.LayerNorm(self.norm_epsilon, self.dtype, name=name)

    def _embed(self, rows: int, name: str):
        return nn.Embed(
            rows,
            self.hidden_dim,
            dtype=self.dtype,
            embedding_init=normal_init(),
            name=name,
        )
