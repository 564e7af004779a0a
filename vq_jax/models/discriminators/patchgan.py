"""The discriminator of patches of pix2pix and VQGAN."""

from typing import Literal

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.models.discriminators.base import Discriminator
from vq_jax.models.layers import norms
from vq_jax.models.layers.torch_conv import torch_conv


class PatchDiscriminator(Discriminator):
    """4x4 convolutions, a logit for each patch (pix2pix 1611.07004, appendix 6.1.2).

    Kernels start in N(0, 0.02), biases in PyTorch's U(±1/√fan_in), scales of norms in
    N(1, 0.02). Padding is one pixel on each side, so 256 px give 30x30 logits of 70x70
    pixels with three layers.

    Attributes:
        base_dim: channels of the first layer; each of the next has twice as many, at
            most eight times.
        num_layers: convolutions of stride 2.
        norm: "batch" of the reference; "actnorm"; "spectral" divides kernels by their
            largest singular value (1802.05957), and so does all layers; or "none".
    """

    base_dim: int = 64
    num_layers: int = 3
    norm: Literal["batch", "actnorm", "spectral", "none"] = "batch"

    @property
    def starts_from_data(self) -> bool:
        return self.norm == "actnorm"

    @nn.compact
    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool, start: bool = False
    ) -> Float[Array, "b hp wp"]:
        x = self._conv("conv_0", images, self.base_dim, 2, True, train)
        x = jax.nn.leaky_relu(x, 0.2)
        for i in range(1, self.num_layers + 1):
            dim = self.base_dim * min(2**i, 8)
            strides = 2 if i < self.num_layers else 1
            use_bias = self.norm != "batch"  # whose own bias would undo it
            x = self._conv(f"conv_{i}", x, dim, strides, use_bias, train)
            x = self._norm(f"norm_{i}", x, train, start)
            x = jax.nn.leaky_relu(x, 0.2)
        x = self._conv(f"conv_{self.num_layers + 1}", x, 1, 1, True, train)
        return x[..., 0].astype("float32")

    def _conv(self, name, x, features, strides, use_bias, train):
        conv = torch_conv(
            x.shape[-1],
            features,
            4,
            strides=strides,
            padding=((1, 1), (1, 1)),
            use_bias=use_bias,
            kernel_init=nn.initializers.normal(0.02),
            dtype=self.dtype,
            name=name,
        )
        if self.norm != "spectral":
            return conv(x)
        stored = train and self.is_mutable_collection(norms.BATCH_STATS)
        spectral = nn.SpectralNorm(conv, name=f"{name}_spectral")
        return spectral(x, update_stats=stored and not self.is_initializing())

    def _norm(self, name, x, train, start):
        x = x.astype("float32")
        if self.norm == "batch":
            return norms.BatchNorm(name=name)(x, train=train)
        if self.norm == "actnorm":
            return norms.ActNorm(name=name)(x, start=start)
        return x
