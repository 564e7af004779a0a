"""The residual decoder of VQGAN, and of tokenizers derived from it."""

from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.models.layers import resnet
from vq_jax.models.layers.fusion import Fuse, unchanged
from vq_jax.models.layers.norms import AdaptiveGroupNorm
from vq_jax.models.layers.torch_conv import torch_conv
from vq_jax.ops.narrow_convolution import convolve_to_few


class ResnetDecoder(resnet.ResnetLevels, kw_only=True):
    """Residual blocks at several resolutions, each twice the one before.

    By default it is VQGAN's decoder (2012.09841v3, table 7), which has one residual
    block more in each level than its encoder, and no tanh at the end. Parameters have
    the names of its released code: `up_{level}_…` is resolution level `level`, 0 being
    the highest resolution, which comes last. `features_dim` are the channels between
    `post_quant_conv` and `conv_in`. Outputs are float32.

    Attributes:
        out_channels: channels of the outputs: those of an image times
            `likelihood.outputs_per_channel`.
        num_res_blocks: number of residual blocks in a resolution level; VQGAN's
            configurations have a number that is one less.
        post_quant: whether there is a 1x1 convolution `post_quant_conv` before
            `conv_in`.
        upsampling: see `layers/resnet.py: Upsample`.
        adaptive_norm: whether each resolution level begins with a norm whose scale and
            bias are computed from `z_q`, as in Open-MAGVIT2.
    """

    out_channels: int
    num_res_blocks: ranges.Depth = 3
    post_quant: bool = True
    upsampling: resnet.Upsampling = "nearest"
    adaptive_norm: bool = False

    upsampling_factor = resnet.ResnetLevels.downsampling_factor

    @property
    def last_kernel(self) -> tuple[str, str]:
        """Path of the last layer's kernel in the decoder's parameters."""
        return ("conv_out", "kernel")

    @property
    def levels(self) -> range:
        """Resolution levels above the latent grid's that `fuse` is called for."""
        return range(len(self.multipliers) - 1)

    @nn.compact
    def __call__(
        self, z_q: Float[Array, "b hq wq d"], *, train: bool, fuse: Fuse = unchanged
    ) -> Float[Array, "b h w o"]:
        """Outputs; `fuse` makes of the features of a level those that it goes on with.

        Level n has 2ⁿ times fewer rows and columns than an image.
        """
        x, options = z_q, {"dtype": self.dtype}
        if self.post_quant:
            name = "post_quant_conv"
            x = torch_conv(x, self.features_dim, 1, **options, name=name)
        channels = self.base_dim * self.multipliers[-1]
        x = torch_conv(x, channels, **options, name="conv_in")
        x = self.middle_blocks(x, train=train)
        for level in reversed(range(len(self.multipliers))):
            if self.adaptive_norm:
                x = AdaptiveGroupNorm(**self.norms, name=f"up_{level}_adaptive")(x, z_q)
            num_remat = 0
            if self.is_remat(level):
                # The maps of the very last block are needed at once.
                num_remat = self.num_res_blocks - (level == 0)
            name = f"up_{level}"
            x = self.level_blocks(x, level, name, train=train, num_remat=num_remat)
            if level in self.levels:
                x = fuse(x, level)
            if level:
                name = f"up_{level}_upsample"
                x = resnet.Upsample(self.upsampling, self.dtype, name=name)(x)
        if self.is_remat(0):
            x = resnet.store_gradient(x)
        x = self.last_norm(x)
        options["convolve"] = convolve_to_few
        x = torch_conv(x, self.out_channels, **options, name="conv_out")
        return x.astype("float32")
