"""Blocks of VQGAN's encoder and decoder (2012.09841v3, appendix, table 7)."""

import functools
from collections.abc import Callable
from typing import Literal

import jax
from einops import rearrange
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.layers.norms import GroupNorm
from vq_jax.models.layers.torch_conv import ConvAndBias, torch_conv
from vq_jax.ops import convolution
from vq_jax.ops.group_norm import STATISTICS
from vq_jax.ops.swish import swish

Shortcut = Literal["input", "output"]
Downsampling = Literal["conv", "symmetric_conv", "average"]
Upsampling = Literal["nearest", "depth_to_space"]


def group_norm(num_groups: int, dtype: str, name: str) -> GroupNorm:
    """GroupNorm with VQGAN's ε = 1e-6."""
    return GroupNorm(num_groups, epsilon=1e-6, dtype=dtype, name=name)


def remat(function: Callable) -> Callable:
    """`function` of a module and x, which the backward pass computes again.

    It keeps x, and the statistics of norms: they take no space, and a pass over a map.
    """
    policy = jax.checkpoint_policies.save_only_these_names(STATISTICS)
    return nn.remat(function, policy=policy)


@jax.custom_vjp
def store_gradient(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """x, whose gradient is written to memory once.

    Else XLA may compute that of a norm's input within each layer that reads it, and has
    to keep two maps in its place until the last one has: the norm's input and the
    gradient of its result.
    """
    return x


store_gradient.defvjp(
    lambda x: (x, None), lambda _, gradient: (lax.optimization_barrier(gradient),)
)


class ResnetBlock(nn.Module):
    """A residual block with two 3x3 convolutions, as in VQGAN.

    shortcut(x) + Conv3x3(Dropout(swish(GN(Conv3x3(swish(GN(x)))))))

    Attributes:
        channels: channels of the result. Where x has as many, the shortcut is x itself;
            else it is a 1x1 convolution.
        shortcut: what that 1x1 convolution is applied to: "input" is x, as in VQGAN;
            "output" is the other summand, as in MaskGIT's code, whose weights need it.
        use_bias: whether the convolutions have biases.
        dropout: rate of the dropout, which draws from the random stream "dropout".
        num_groups: groups of each GroupNorm (GN).
        dtype: dtype of the convolutions; parameters are float32.
    """

    channels: int
    shortcut: Shortcut = "input"
    use_bias: bool = True
    dropout: float = 0.0
    num_groups: int = 32
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w f"]:
        in_channels, channels = x.shape[-1], self.channels
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        norms = {"num_groups": self.num_groups, "dtype": self.dtype}
        hidden = swish(group_norm(**norms, name="norm1")(x))
        hidden, bias = ConvAndBias(channels, **options, name="conv1")(hidden)
        hidden = swish(group_norm(**norms, name="norm2")(hidden, bias))
        hidden = nn.Dropout(self.dropout, deterministic=not train)(hidden)
        hidden = torch_conv(hidden, channels, **options, name="conv2")
        if in_channels != channels:
            source = x if self.shortcut == "input" else hidden
            x = torch_conv(source, channels, 1, **options, name="nin_shortcut")
        return x + hidden


class AttentionBlock(nn.Module):
    """Self-attention over all positions of the grid: x + Conv1x1(attention(GN(x))).

    It has one attention head, and the scores are divided by √c.

    Attributes:
        num_groups: groups of the GroupNorm (GN).
        dtype: dtype of the convolutions; the softmax is float32.
    """

    num_groups: int = 32
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        height, channels = x.shape[1], x.shape[-1]
        project = functools.partial(
            torch_conv, channels=channels, size=1, dtype=self.dtype
        )
        normed = group_norm(self.num_groups, self.dtype, "norm")(x)
        q, k, v = (
            rearrange(project(normed, name=name), "b h w c -> b (h w) 1 c")
            for name in ("q", "k", "v")
        )
        attended = jax.nn.dot_product_attention(q, k, v)
        attended = rearrange(attended, "b (h w) 1 c -> b h w c", h=height)
        return x + project(attended, name="proj_out")


class Downsample(nn.Module):
    """Halves height and width, for even sizes.

    Attributes:
        kind: "conv" is a 3x3 convolution of stride 2, padded at the right and the
            bottom only, as in VQGAN; "symmetric_conv" is padded on all sides, as in
            Open-MAGVIT2; "average" is the mean over 2x2 pixels, as in MaskGIT.
        dtype: dtype of the convolution.
    """

    kind: Downsampling = "conv"
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        if self.kind == "average":
            return nn.avg_pool(x, (2, 2), strides=(2, 2))
        pad = (0, 1) if self.kind == "conv" else (1, 1)
        options = {"strides": 2, "padding": (pad, pad), "dtype": self.dtype}
        return torch_conv(x, x.shape[-1], **options, name="conv")


class Upsample(nn.Module):
    """Doubles height and width.

    Attributes:
        kind: "nearest" repeats pixels before a 3x3 convolution, as in VQGAN;
            "depth_to_space" has a 3x3 convolution to four times the channels, whose
            axis is then split into rows, columns and channels, in this order, as in
            Open-MAGVIT2.
        dtype: dtype of the convolution.
    """

    kind: Upsampling = "nearest"
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
        channels = x.shape[-1]
        if self.kind == "nearest":
            convolve = convolution.convolve_upsampled
            options = {"convolve": convolve, "dtype": self.dtype}
            return torch_conv(x, channels, **options, name="conv")
        x = torch_conv(x, 4 * channels, dtype=self.dtype, name="conv")
        return rearrange(x, "b h w (i j c) -> b (h i) (w j) c", i=2, j=2)


class MiddleBlocks(nn.Module):
    """Residual blocks at the lowest resolution, with attention after the first.

    Attributes:
        num_blocks: number of residual blocks: 2 in VQGAN, as many as in a resolution
            level in MaskGIT and MAGVIT-v2.
        block: a `ResnetBlock` without `channels` and name, a partial.
        attention: an `AttentionBlock` without name, or None for no attention, as in
            MaskGIT and MAGVIT-v2.
    """

    num_blocks: int
    block: Callable[..., nn.Module]
    attention: Callable[..., nn.Module] | None

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        for i in range(self.num_blocks):
            x = self.block(x.shape[-1], name=f"block_{i + 1}")(x, train=train)
            if i == 0 and self.attention is not None:
                x = self.attention(name="attn_1")(x)
        return x


class ResnetLevels(nn.Module):
    """What the residual encoder and decoder have in common: their blocks and sizes.

    Attributes:
        base_dim: channels are multiples of it; a multiple of `num_groups`.
        multipliers: channels of each resolution level, in multiples of `base_dim`, from
            the highest resolution, level 0, to the lowest.
        num_res_blocks: number of residual blocks in a resolution level.
        resolution: nominal height of the images, from which the resolution of a level
            follows for `attention_resolutions`; images may have other sizes.
        attention_resolutions: resolutions of the levels that have attention after each
            residual block.
        remat_resolutions: resolutions of the levels that the backward pass computes
            again to save memory, but for the statistics of norms. Of such a level the
            encoder keeps the input alone, at the highest resolution the images. The
            decoder keeps the inputs of residual blocks, and all of the very last one,
            which the backward pass begins with.
        middle_attention: whether there is attention in the middle, at the lowest
            resolution.
        num_middle_blocks: number of residual blocks in the middle.
        features_dim: channels on the way between the resolution levels and the latents.
        shortcut, dropout: see `ResnetBlock`.
        use_bias: whether residual blocks have biases.
        num_groups: groups of each GroupNorm. With one channel in a group the norm would
            remove an image's brightness and colour, so narrow models need fewer groups.
        dtype: dtype of the convolutions; parameters are float32.
    """

    base_dim: ranges.Width = 128
    multipliers: ranges.Multipliers = (
        1,
        1,
        2,
        2,
        4,
    )
    num_res_blocks: ranges.Depth = 2
    resolution: ranges.Count = 256
    attention_resolutions: tuple[ranges.Count, ...] = (16,)
    remat_resolutions: tuple[ranges.Count, ...] = ()
    middle_attention: bool = True
    num_middle_blocks: ranges.Depth = 2
    features_dim: ranges.Width = 256
    shortcut: Shortcut = "input"
    use_bias: bool = True
    dropout: ranges.DropRate = 0.0
    num_groups: ranges.Width = 32
    dtype: str = "float32"

    @property
    def downsampling_factor(self) -> int:
        """Pixels that a position of the latent grid spans, in height and in width."""
        return 2 ** (len(self.multipliers) - 1)

    @property
    def norms(self) -> dict:
        """Fields of all norms."""
        return {"num_groups": self.num_groups, "dtype": self.dtype}

    @property
    def block(self) -> Callable[..., ResnetBlock]:
        """Makes a residual block from its channels and name."""
        options = {"use_bias": self.use_bias, "dropout": self.dropout, **self.norms}
        return functools.partial(ResnetBlock, shortcut=self.shortcut, **options)

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Nominal heights of the levels, from level 0."""
        return tuple(self.resolution >> i for i in range(len(self.multipliers)))

    def is_remat(self, level: int) -> bool:
        """Whether the backward pass computes a resolution level again."""
        if unknown := set(self.remat_resolutions) - set(self.resolutions):
            raise InputError(
                f"config.model: remat_resolutions={self.remat_resolutions} has "
                f"{min(unknown)}, but levels are of {str(self.resolutions)[1:-1]}."
            )
        return self.resolutions[level] in self.remat_resolutions

    def level_blocks(
        self, x, level: int, name: str, *, train: bool, num_remat: int = 0
    ):
        """Applies a resolution level's blocks, NAME_block_{i} and NAME_attn_{i}.

        The backward pass computes the first `num_remat` residual blocks again.
        """
        attends = self.resolutions[level] in self.attention_resolutions

        def run(block, x):
            return block(x, train=train)

        for i in range(self.num_res_blocks):
            block = self.block(
                self.base_dim * self.multipliers[level], name=f"{name}_block_{i}"
            )
            x = (remat(run) if i < num_remat else run)(block, x)
            if attends:
                x = AttentionBlock(**self.norms, name=f"{name}_attn_{i}")(x)
        return x

    def middle_blocks(self, x, *, train: bool):
        """Applies the blocks at the lowest resolution."""
        attention = functools.partial(AttentionBlock, **self.norms)
        return MiddleBlocks(
            self.num_middle_blocks,
            block=self.block,
            attention=attention if self.middle_attention else None,
            name="mid",
        )(x, train=train)

    def last_norm(self, x):
        """swish(GN(x)), which the last convolution takes."""
        return swish(group_norm(**self.norms, name="norm_out")(x))
