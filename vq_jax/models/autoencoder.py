"""The autoencoder: encoder, head, quantizer and decoder as one model."""

import math

import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.errors import InputError
from vq_jax.models.quantizers.base import Quantizer, QuantizerOutput
from vq_jax.ops.likelihoods import Likelihood
from vq_jax.ops.token_layout import TokenLayout
from vq_jax.typing import Leaf


@struct.dataclass
class AutoencoderOutput:
    """What a training or an evaluation pass of the autoencoder returns."""

    outputs: Leaf  # float32 [b, h, w, o]: parameters of the likelihood of each pixel
    recon: Leaf  # float32 [b, h, w, c]: mean of the likelihood, nominally in [-1, 1]
    quantized: QuantizerOutput
    kl: Leaf  # float32 [b]: KL term of the head, in nats per image; 0 without one


class Autoencoder(nn.Module):
    """Maps images in [-1, 1] to code indices and back to images.

    Attributes:
        encoder: module from images to features, with a `downsampling_factor`.
        head: module from features to latents `z_e`.
        quantizer: module from `z_e` to codes, `z_q`.
        decoder: module from `z_q` to outputs, the parameters of `likelihood`.
        likelihood: distribution of an image given the decoder's outputs.
        channels: channels of an image.
    """

    encoder: nn.Module
    head: nn.Module
    quantizer: Quantizer
    decoder: nn.Module
    likelihood: Likelihood
    channels: int = 3

    @property
    def downsampling_factor(self) -> int:
        """Pixels that a position of the latent grid spans, in height and in width."""
        return self.encoder.downsampling_factor

    def grid_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the latent grid for images of this size.

        Raises:
            InputError: the size is not a multiple of the downsampling factor.
        """
        factor = self.downsampling_factor
        if height % factor or width % factor or not height or not width:
            near = tuple(
                max(1, math.ceil(side / factor)) * factor for side in (height, width)
            )
            raise InputError(
                f"image size {height}x{width} is not a multiple of the stride {factor} "
                f"of the encoder; pad or resize to {near[0]}x{near[1]}, or crop."
            )
        return height // factor, width // factor

    def tokens_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Shape of the code indices of one image of this size.

        Raises:
            InputError: the size is not a multiple of the downsampling factor, or the
                quantizer is for another size.
        """
        return self.quantizer.tokens_shape(*self.grid_size(height, width))

    def token_layout(self, height: int, width: int) -> TokenLayout:
        """How the code indices of one image of this size lie.

        Raises:
            InputError: as `tokens_shape`.
        """
        grid = self.grid_size(height, width)
        return TokenLayout(
            shape=self.quantizer.tokens_shape(*grid),
            grids=self.quantizer.token_grids(*grid),
            codebook_size=self.quantizer.codebook_size,
        )

    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> AutoencoderOutput:
        head = self._latents(images, train=train)
        z_e = head.z_e if train else _rounded(head.z_e)
        quantized = self.quantizer(z_e, train=train)
        z_q = quantized.z_q if train else _rounded(quantized.z_q)
        outputs = self.decoder(z_q, train=train)
        recon = self.likelihood.mean(outputs, self.channels)
        return AutoencoderOutput(outputs, recon, quantized, head.kl)

    def encode(self, images: Float[Array, "b h w c"]) -> Int[Array, "b *tokens"]:
        """Code indices of images in [-1, 1]."""
        return self.quantize(self.encode_latents(images)).indices

    def encode_latents(
        self, images: Float[Array, "b h w c"]
    ) -> Float[Array, "b hq wq d"]:
        """`z_e` of images in [-1, 1]: what an evaluation pass quantises."""
        return _rounded(self._latents(images, train=False).z_e)

    def quantize(self, z_e: Float[Array, "b hq wq d"]) -> QuantizerOutput:
        """Codes of latents, as in an evaluation pass; `z_q` as the decoder gets it."""
        quantized = self.quantizer(z_e, train=False)
        return quantized.replace(z_q=_rounded(quantized.z_q))

    def decode(self, indices: Int[Array, "b *tokens"]) -> Float[Array, "b h w c"]:
        """Images from code indices: the very `recon` of the evaluation pass."""
        return self.decode_latents(self.lookup(indices))

    def lookup(self, indices: Int[Array, "b *tokens"]) -> Float[Array, "b hq wq d"]:
        """`z_q` of code indices, as the decoder gets it."""
        return _rounded(self.quantizer.lookup(indices))

    def decode_latents(
        self, latents: Float[Array, "b hq wq d"]
    ) -> Float[Array, "b h w c"]:
        """Images from latents, which need not be codes."""
        outputs = self.decoder(latents, train=False)
        return self.likelihood.mean(outputs, self.channels)

    def init_codebook_from_data(self, images: Float[Array, "b h w c"]) -> None:
        """Data-dependent initialisation of the codebook; see `Quantizer`."""
        self.quantizer.init_from_data(self._latents(images, train=False).z_e)

    def update_codebook(self) -> None:
        """Update of the codebook after a training pass; see `Quantizer.update`."""
        self.quantizer.update()

    def _latents(self, images, *, train: bool):
        self.grid_size(*images.shape[1:3])
        if images.shape[-1] != self.channels:
            raise InputError(
                f"images have {images.shape[-1]} channels but the model takes "
                f"{self.channels}; convert them, or set config.data.channels."
            )
        return self.head(self.encoder(images, train=train), train=train)


def _rounded(latents: Leaf) -> Leaf:
    """Latents as their dtype holds them, for evaluation.

    A compiler may leave out a rounding to bfloat16 where float32 follows. XLA did so in
    some of `__call__`, `encode` and `decode` and not in the others (jax 0.10, CPU), so
    that codes gave other images than the evaluation pass.
    """
    precision = jnp.finfo(latents.dtype)
    wide = latents.astype(jnp.float32)
    exact = lax.reduce_precision(wide, precision.nexp, precision.nmant)
    return exact.astype(latents.dtype)
