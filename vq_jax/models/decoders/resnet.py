"""The residual decoder of VQGAN, and of tokenizers derived from it."""

import functools

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers import resnet
from vq_jax.models.layers.norms import AdaptiveGroupNorm
from vq_jax.models.layers.torch_conv import torch_conv


class ResnetDecoder(nn.Module):
    """Residual blocks at several resolutions, each twice the one before.

    By default it is VQGAN's decoder (2012.09841v3, table 7), which has one residual
    block more in each level than its encoder, and no tanh at the end. Parameters have
    the names of its released code: `up_{level}_…` is resolution level `level`, 0 being
    the highest resolution, which comes last.

    Attributes:
        out_channels: channels of the outputs: those of an image times
            `likelihood.outputs_per_channel`.
        base_dim: channels are multiples of it; a multiple of `num_groups`.
        multipliers: channels of each resolution level, in multiples of `base_dim`, from
            the highest resolution to the lowest, as in the encoder.
        num_res_blocks: number of residual blocks in a resolution level; VQGAN's
            configurations have a number that is one less.
        resolution: nominal height of the images, from which the resolution of a level
            follows for `attention_resolutions`; images may have other sizes.
        attention_resolutions: resolutions of the levels that have attention after each
            residual block.
        middle_attention: whether there is attention in the middle, at the lowest
            resolution.
        num_middle_blocks: number of residual blocks in the middle.
        features_dim: channels between `post_quant_conv` and `conv_in`.
        post_quant: whether there is a 1x1 convolution `post_quant_conv` before
            `conv_in`.
        shortcut, dropout: see `layers/resnet.py: ResnetBlock`.
        upsampling: see `layers/resnet.py: Upsample`.
        adaptive_norm: whether each resolution level begins with a norm whose scale and
            bias are computed from `z_q`, as in Open-MAGVIT2.
        use_bias: whether residual blocks have biases.
        num_groups: groups of each GroupNorm. With one channel in a group the norm would
            remove an image's brightness and colour, so narrow models need fewer groups.
        dtype: dtype of the convolutions; parameters and outputs are float32.
    """

    out_channels: int
    base_dim: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    num_res_blocks: int = 3
    resolution: int = 256
    attention_resolutions: tuple[int, ...] = (16,)
    middle_attention: bool = True
    num_middle_blocks: int = 2
    features_dim: int = 256
    post_quant: bool = True
    shortcut: resnet.Shortcut = "input"
    upsampling: resnet.Upsampling = "nearest"
    adaptive_norm: bool = False
    use_bias: bool = True
    dropout: float = 0.0
    num_groups: int = 32
    dtype: str = "float32"

    @property
    def upsampling_factor(self) -> int:
        """Pixels that a position of the latent grid spans, in height and in width."""
        return 2 ** (len(self.multipliers) - 1)

    @property
    def last_kernel(self) -> tuple[str, str]:
        """Path of the last layer's kernel in the decoder's parameters."""
        return ("conv_out", "kernel")

    @nn.compact
    def __call__(
        self, z_q: Float[Array, "b hq wq d"], *, train: bool
    ) -> Float[Array, "b h w o"]:
        norms = {"num_groups": self.num_groups, "dtype": self.dtype}
        block = functools.partial(
            resnet.ResnetBlock,
            shortcut=self.shortcut,
            use_bias=self.use_bias,
            dropout=self.dropout,
            **norms,
        )
        attention = functools.partial(resnet.AttentionBlock, **norms)
        x = z_q
        if self.post_quant:
            x = torch_conv(
                x.shape[-1],
                self.features_dim,
                1,
                dtype=self.dtype,
                name="post_quant_conv",
            )(x)
        channels = self.base_dim * self.multipliers[-1]
        x = torch_conv(x.shape[-1], channels, dtype=self.dtype, name="conv_in")(x)
        x = resnet.MiddleBlocks(
            self.num_middle_blocks,
            block=block,
            attention=attention if self.middle_attention else None,
            name="mid",
        )(x, train=train)
        for level in reversed(range(len(self.multipliers))):
            attends = self.resolution >> level in self.attention_resolutions
            if self.adaptive_norm:
                x = AdaptiveGroupNorm(**norms, name=f"up_{level}_adaptive")(x, z_q)
            x = resnet.level_blocks(
                x,
                f"up_{level}",
                self.base_dim * self.multipliers[level],
                self.num_res_blocks,
                block=block,
                attention=attention if attends else None,
                train=train,
            )
            if level:
                name = f"up_{level}_upsample"
                x = resnet.Upsample(self.upsampling, self.dtype, name=name)(x)
        x = jax.nn.swish(resnet.group_norm(**norms, name="norm_out")(x))
        x = torch_conv(
            x.shape[-1], self.out_channels, dtype=self.dtype, name="conv_out"
        )(x)
        return x.astype("float32")
