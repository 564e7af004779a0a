"""The patch discriminator of pix2pix and VQGAN."""

from typing import Literal

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.discriminators.base import Discriminator, Images
from vq_jax.models.layers import norms
from vq_jax.models.layers.torch_conv import torch_bias


class PatchDiscriminator(Discriminator):
    """Gives a logit for each patch, from 4x4 convolutions (pix2pix 1611.07004, 6.1.2).

    Kernels are initialised from N(0, 0.02), biases from PyTorch's U(±1/√fan_in), scales
    of norms from N(1, 0.02). The padding is one pixel on each side: with three layers
    an image of 256 px has 30x30 logits, which depend on 70x70 pixels each.

    Attributes:
        base_dim: channels of the first convolution; each next one has twice as many, up
            to eight times `base_dim`.
        num_layers: number of convolutions of stride 2.
        norm: "batch" is BatchNorm, as in VQGAN's released code; "actnorm"; "spectral"
            divides the kernels of all layers by their largest singular value
            (1802.05957); or "none".
    """

    base_dim: ranges.Width = 64
    num_layers: ranges.Repeats = 3
    norm: Literal["batch", "actnorm", "spectral", "none"] = "batch"

    @property
    def needs_data_init(self) -> bool:
        return self.norm == "actnorm"

    @nn.compact
    def __call__(
        self, images: Images, *, train: bool, init_from_data: bool = False
    ) -> Float[Array, "b hp wp"]:
        smallest = 3 * 2**self.num_layers
        if min(images.shape[1:3]) < smallest:
            raise InputError(
                f"{images.shape[1]}x{images.shape[2]} images leave no patch with "
                f"config.discriminator.num_layers={self.num_layers}, which takes "
                f"{smallest} px or more; use fewer."
            )
        x = self._conv("conv_0", images, self.base_dim, 2, True, train)
        x = jax.nn.leaky_relu(x, 0.2)
        for i in range(1, self.num_layers + 1):
            channels = self.base_dim * min(2**i, 8)
            strides = 2 if i < self.num_layers else 1
            use_bias = self.norm != "batch"  # BatchNorm subtracts it again
            x = self._conv(f"conv_{i}", x, channels, strides, use_bias, train)
            x = self._norm(f"norm_{i}", x, train, init_from_data)
            x = jax.nn.leaky_relu(x, 0.2)
        x = self._conv(f"conv_{self.num_layers + 1}", x, 1, 1, True, train)
        return x[..., 0].astype("float32")

    def _conv(self, name, x, channels, strides, use_bias, train):
        conv = nn.Conv(
            channels,
            (4, 4),
            strides=strides,
            padding=((1, 1), (1, 1)),
            use_bias=use_bias,
            kernel_init=nn.initializers.normal(0.02),
            bias_init=torch_bias(x.shape[-1] * 4**2),
            dtype=self.dtype,
            name=name,
        )
        if self.norm != "spectral":
            return conv(x)
        stored = train and self.is_mutable_collection(norms.BATCH_STATS)
        spectral = nn.SpectralNorm(conv, name=f"{name}_spectral")
        return spectral(x, update_stats=stored and not self.is_initializing())

    def _norm(self, name, x, train, init_from_data):
        x = x.astype("float32")
        if self.norm == "batch":
            return norms.BatchNorm(name=name)(x, train=train)
        if self.norm == "actnorm":
            return norms.ActNorm(name=name)(x, init_from_data=init_from_data)
        return x
