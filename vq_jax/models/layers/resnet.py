"""Blocks of VQGAN's encoder and decoder (2012.09841v3, appendix table 7)."""

from typing import Literal

import jax
import jax.numpy as jnp
from einops import rearrange
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers.norms import GroupNorm
from vq_jax.models.layers.torch_conv import torch_conv

Shortcut = Literal["input", "output"]
Downsampling = Literal["conv", "symmetric_conv", "average"]
Upsampling = Literal["nearest", "depth_to_space"]


def group_norm(num_groups: int, dtype: str, name: str) -> GroupNorm:
    """GroupNorm with VQGAN's ε = 1e-6."""
    return GroupNorm(num_groups, epsilon=1e-6, dtype=dtype, name=name)


class ResnetBlock(nn.Module):
    """shortcut(x) + Conv3x3(Dropout(swish(GN(Conv3x3(swish(GN(x))))))).

    Attributes:
        features: output channels; where they are those of x there is no shortcut.
        shortcut: what the 1x1 convolution of the shortcut sees: "input" is x, as in
            VQGAN. "output" is the block's output before the sum, as in MaskGIT's code,
            whose weights need it.
        use_bias: of all convolutions.
        dropout: rate; draws from the key "dropout".
        num_groups: of the norms.
        dtype: dtype of the convolutions; parameters are float32.
    """

    features: int
    shortcut: Shortcut = "input"
    use_bias: bool = True
    dropout: float = 0.0
    num_groups: int = 32
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w features"]:
        in_dim, dims = x.shape[-1], {"use_bias": self.use_bias, "dtype": self.dtype}
        norm1, norm2 = (
            group_norm(self.num_groups, self.dtype, name) for name in ("norm1", "norm2")
        )
        hidden = jax.nn.swish(norm1(x))
        hidden = torch_conv(in_dim, self.features, **dims, name="conv1")(hidden)
        hidden = jax.nn.swish(norm2(hidden))
        hidden = nn.Dropout(self.dropout, deterministic=not train)(hidden)
        hidden = torch_conv(self.features, self.features, **dims, name="conv2")(hidden)
        if in_dim != self.features:
            source = x if self.shortcut == "input" else hidden
            x = torch_conv(
                source.shape[-1], self.features, 1, **dims, name="nin_shortcut"
            )(source)
        return x + hidden


class AttentionBlock(nn.Module):
    """x + Conv1x1(attention(GN(x))): one head over all positions, scale 1/√c.

    Attributes:
        num_groups: of the norm.
        dtype: dtype of the convolutions; the softmax is float32.
    """

    num_groups: int = 32
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        height, dim = x.shape[1], x.shape[-1]
        normed = group_norm(self.num_groups, self.dtype, "norm")(x)
        q, k, v = (
            rearrange(
                torch_conv(dim, dim, 1, dtype=self.dtype, name=name)(normed),
                "b h w c -> b (h w) 1 c",
            )
            for name in ("q", "k", "v")
        )
        attended = jax.nn.dot_product_attention(q, k, v)
        attended = rearrange(attended, "b (h w) 1 c -> b h w c", h=height)
        return x + torch_conv(dim, dim, 1, dtype=self.dtype, name="proj_out")(attended)


def level_blocks(
    x: Float[Array, "b h w c"],
    name: str,
    features: int,
    num_blocks: int,
    *,
    attends: bool,
    train: bool,
    **block,
) -> Float[Array, "b h w features"]:
    """The residual blocks of a level, each followed by attention where it `attends`.

    To be called within a compact module, which gets the blocks `NAME_block_{i}` and
    `NAME_attn_{i}`.

    Args:
        block: shortcut, use_bias, dropout, num_groups and dtype of `ResnetBlock`.
    """
    norm = {field: block[field] for field in ("num_groups", "dtype")}
    for i in range(num_blocks):
        x = ResnetBlock(features, **block, name=f"{name}_block_{i}")(x, train=train)
        if attends:
            x = AttentionBlock(**norm, name=f"{name}_attn_{i}")(x)
    return x


class Downsample(nn.Module):
    """Half the height and width, of even sizes.

    Attributes:
        kind: "conv" is 3x3 of stride 2, padded at the right and the bottom only, as in
            VQGAN; "symmetric_conv" is padded on all sides, as in Open-MAGVIT2;
            "average" is a mean over 2x2, as in MaskGIT.
        dtype: dtype of the convolution.
    """

    kind: Downsampling = "conv"
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        if self.kind == "average":
            return nn.avg_pool(x, (2, 2), strides=(2, 2))
        pad = (0, 1) if self.kind == "conv" else (1, 1)
        dim = x.shape[-1]
        return torch_conv(
            dim, dim, strides=2, padding=(pad, pad), dtype=self.dtype, name="conv"
        )(x)


class Upsample(nn.Module):
    """Twice the height and width.

    Attributes:
        kind: "nearest" repeats pixels before a 3x3 convolution, as in VQGAN;
            "depth_to_space" makes four times the channels and shuffles them, first to
            rows, then to columns, then to channels, as in Open-MAGVIT2.
        dtype: dtype of the convolution.
    """

    kind: Upsampling = "nearest"
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        dim = x.shape[-1]
        if self.kind == "nearest":
            x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            return torch_conv(dim, dim, dtype=self.dtype, name="conv")(x)
        x = torch_conv(dim, 4 * dim, dtype=self.dtype, name="conv")(x)
        return rearrange(x, "b h w (i j c) -> b (h i) (w j) c", i=2, j=2)


class MiddleBlocks(nn.Module):
    """Residual blocks at the lowest resolution, with attention after the first.

    Attributes:
        num_blocks: 2 in VQGAN; MaskGIT and MAGVIT-v2 have as many as a level.
        attention: whether there is any; none in MaskGIT and MAGVIT-v2.
        shortcut, use_bias, dropout, num_groups, dtype: of the blocks.
    """

    num_blocks: int = 2
    attention: bool = True
    shortcut: Shortcut = "input"
    use_bias: bool = True
    dropout: float = 0.0
    num_groups: int = 32
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        for i in range(self.num_blocks):
            x = ResnetBlock(
                x.shape[-1],
                self.shortcut,
                self.use_bias,
                self.dropout,
                self.num_groups,
                self.dtype,
                name=f"block_{i + 1}",
            )(x, train=train)
            if i == 0 and self.attention:
                x = AttentionBlock(self.num_groups, self.dtype, name="attn_1")(x)
        return x
