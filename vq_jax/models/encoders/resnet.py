"""The residual encoder of VQGAN, and of tokenizers derived from it."""

import functools

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers import resnet
from vq_jax.models.layers.torch_conv import torch_conv


class ResnetEncoder(nn.Module):
    """Residual blocks at several resolutions, each half of the one before.

    By default it is VQGAN's encoder (2012.09841v3, table 7), whose `quant_conv` is the
    head here. Parameters have the names of its released code: `down_{level}_…` is
    resolution level `level`, 0 being the highest resolution.

    Attributes:
        base_dim: channels of the first convolution, a multiple of `num_groups`.
        multipliers: channels of each resolution level, in multiples of `base_dim`.
        num_res_blocks: number of residual blocks in a resolution level.
        resolution: nominal height of the images, from which the resolution of a level
            follows for `attention_resolutions`; images may have other sizes.
        attention_resolutions: resolutions of the levels that have attention after each
            residual block.
        middle_attention: whether there is attention in the middle, at the lowest
            resolution.
        num_middle_blocks: number of residual blocks in the middle.
        features_dim: channels of the features that are returned.
        features_kernel: size of the last convolution's kernel; 3, or 1 in MaskGIT.
        shortcut, dropout: see `layers/resnet.py: ResnetBlock`.
        downsampling: see `layers/resnet.py: Downsample`.
        use_bias: whether residual blocks and the first convolution have biases.
        num_groups: groups of each GroupNorm. With one channel in a group the norm would
            remove an image's brightness and colour, so narrow models need fewer groups.
        dtype: dtype of the convolutions; parameters are float32.
    """

    base_dim: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    num_res_blocks: int = 2
    resolution: int = 256
    attention_resolutions: tuple[int, ...] = (16,)
    middle_attention: bool = True
    num_middle_blocks: int = 2
    features_dim: int = 256
    features_kernel: int = 3
    shortcut: resnet.Shortcut = "input"
    downsampling: resnet.Downsampling = "conv"
    use_bias: bool = True
    dropout: float = 0.0
    num_groups: int = 32
    dtype: str = "float32"

    @property
    def downsampling_factor(self) -> int:
        """Pixels that a position of the latent grid spans, in height and in width."""
        return 2 ** (len(self.multipliers) - 1)

    @nn.compact
    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b hq wq hidden"]:
        norms = {"num_groups": self.num_groups, "dtype": self.dtype}
        block = functools.partial(
            resnet.ResnetBlock,
            shortcut=self.shortcut,
            use_bias=self.use_bias,
            dropout=self.dropout,
            **norms,
        )
        attention = functools.partial(resnet.AttentionBlock, **norms)
        x = torch_conv(
            images.shape[-1],
            self.base_dim,
            use_bias=self.use_bias,
            dtype=self.dtype,
            name="conv_in",
        )(images)
        for level, multiplier in enumerate(self.multipliers):
            attends = self.resolution >> level in self.attention_resolutions
            x = resnet.level_blocks(
                x,
                f"down_{level}",
                self.base_dim * multiplier,
                self.num_res_blocks,
                block=block,
                attention=attention if attends else None,
                train=train,
            )
            if level + 1 < len(self.multipliers):
                name = f"down_{level}_downsample"
                x = resnet.Downsample(self.downsampling, self.dtype, name=name)(x)
        x = resnet.MiddleBlocks(
            self.num_middle_blocks,
            block=block,
            attention=attention if self.middle_attention else None,
            name="mid",
        )(x, train=train)
        x = jax.nn.swish(resnet.group_norm(**norms, name="norm_out")(x))
        return torch_conv(
            x.shape[-1],
            self.features_dim,
            self.features_kernel,
            dtype=self.dtype,
            name="conv_out",
        )(x)
