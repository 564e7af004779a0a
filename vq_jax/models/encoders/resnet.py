"""The residual encoder of VQGAN, and of the tokenizers that came from it."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers import resnet
from vq_jax.models.layers.torch_conv import torch_conv


class ResnetEncoder(nn.Module):
    """Levels of residual blocks, each but the last halving the resolution.

    VQGAN's encoder (2012.09841v3, table 7) by default; the head is its `quant_conv`.
    Names of parameters are those of its released code, `down_{level}_…` from the
    highest resolution. The configurations of MaskGIT, LlamaGen and MaskBit have the
    fields of those tokenizers.

    Attributes:
        base_dim: channels of the first level, a multiple of `num_groups`.
        multipliers: of `base_dim`, a level each.
        num_res_blocks: a level.
        resolution: nominal size of images that places attention; other sizes work.
        attention_resolutions: of the levels with attention after each block.
        middle_attention: whether there is attention at the lowest resolution.
        num_middle_blocks: residual blocks there.
        features_dim: channels of the features.
        features_kernel: size of the last convolution, 3 or, as in MaskGIT, 1.
        shortcut, downsampling, dropout: see `layers/resnet.py`.
        use_bias: of residual blocks and of the first convolution.
        num_groups: of the norms. With as many as a layer has channels they would take
            an image's brightness and colour away, so narrow models need fewer.
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
        return 2 ** (len(self.multipliers) - 1)

    @nn.compact
    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b hq wq features"]:
        norm = {"num_groups": self.num_groups, "dtype": self.dtype}
        block = {
            "shortcut": self.shortcut,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            **norm,
        }
        x = torch_conv(
            images.shape[-1],
            self.base_dim,
            use_bias=self.use_bias,
            dtype=self.dtype,
            name="conv_in",
        )(images)
        for level, multiplier in enumerate(self.multipliers):
            dim = self.base_dim * multiplier
            attends = self.resolution >> level in self.attention_resolutions
            x = resnet.level_blocks(
                x,
                f"down_{level}",
                dim,
                self.num_res_blocks,
                attends=attends,
                train=train,
                **block,
            )
            if level + 1 < len(self.multipliers):
                name = f"down_{level}_downsample"
                x = resnet.Downsample(self.downsampling, self.dtype, name=name)(x)
        x = resnet.MiddleBlocks(
            self.num_middle_blocks, self.middle_attention, **block, name="mid"
        )(x, train=train)
        x = jax.nn.swish(resnet.group_norm(**norm, name="norm_out")(x))
        return torch_conv(
            x.shape[-1],
            self.features_dim,
            self.features_kernel,
            dtype=self.dtype,
            name="conv_out",
        )(x)
