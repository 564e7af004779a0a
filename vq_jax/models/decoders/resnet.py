"""The residual decoder of VQGAN, and of the tokenizers that came from it."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.layers import resnet
from vq_jax.models.layers.norms import AdaptiveGroupNorm
from vq_jax.models.layers.torch_conv import torch_conv


class ResnetDecoder(nn.Module):
    """Levels of residual blocks, each but the last doubling the resolution.

    VQGAN's decoder (2012.09841v3, table 7) by default, which has one block more a level
    than its encoder, and no tanh. Names of parameters are those of its released code:
    `up_{level}_…` counts levels from the highest resolution, which comes last.

    Attributes:
        out_channels: channels of the output.
        base_dim: channels of the last level, a multiple of `num_groups`.
        multipliers: of `base_dim`, a level each, from the highest resolution down.
        num_res_blocks: a level; VQGAN's configurations name one less.
        resolution: nominal size of images that places attention; other sizes work.
        attention_resolutions: of the levels with attention after each block.
        middle_attention: whether there is attention at the lowest resolution.
        num_middle_blocks: residual blocks there.
        features_dim: channels between the two first convolutions.
        post_quant: whether a 1x1 convolution comes first, `post_quant_conv`.
        shortcut, upsampling, dropout: see `layers/resnet.py`.
        adaptive_norm: whether each level starts with a norm whose scale and bias
            follow from `z_q`, as in Open-MAGVIT2.
        use_bias: of residual blocks.
        num_groups: of the norms. With as many as a layer has channels they would take
            an image's brightness and colour away, so narrow models need fewer.
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
        return 2 ** (len(self.multipliers) - 1)

    @property
    def last_kernel(self) -> tuple[str, str]:
        """Path of the kernel of the last layer in the decoder's parameters."""
        return ("conv_out", "kernel")

    @nn.compact
    def __call__(
        self, z_q: Float[Array, "b hq wq d"], *, train: bool
    ) -> Float[Array, "b h w out"]:
        norm = {"num_groups": self.num_groups, "dtype": self.dtype}
        block = {
            "shortcut": self.shortcut,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            **norm,
        }
        x = z_q
        if self.post_quant:
            x = torch_conv(
                x.shape[-1],
                self.features_dim,
                1,
                dtype=self.dtype,
                name="post_quant_conv",
            )(x)
        dim = self.base_dim * self.multipliers[-1]
        x = torch_conv(x.shape[-1], dim, dtype=self.dtype, name="conv_in")(x)
        x = resnet.MiddleBlocks(
            self.num_middle_blocks, self.middle_attention, **block, name="mid"
        )(x, train=train)
        for level in reversed(range(len(self.multipliers))):
            dim = self.base_dim * self.multipliers[level]
            attends = self.resolution >> level in self.attention_resolutions
            if self.adaptive_norm:
                x = AdaptiveGroupNorm(**norm, name=f"up_{level}_adaptive")(x, z_q)
            x = resnet.level_blocks(
                x,
                f"up_{level}",
                dim,
                self.num_res_blocks,
                attends=attends,
                train=train,
                **block,
            )
            if level:
                name = f"up_{level}_upsample"
                x = resnet.Upsample(self.upsampling, self.dtype, name=name)(x)
        x = jax.nn.swish(resnet.group_norm(**norm, name="norm_out")(x))
        x = torch_conv(
            x.shape[-1], self.out_channels, dtype=self.dtype, name="conv_out"
        )(x)
        return x.astype("float32")
