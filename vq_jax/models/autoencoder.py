"""Encoder, head, quantizer and decoder as one model."""

import math

from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float, Int

from vq_jax.errors import InputError
from vq_jax.models.quantizers.base import Quantizer, QuantizerOutput
from vq_jax.ops.likelihoods import Likelihood
from vq_jax.typing import Leaf


@struct.dataclass
class AutoencoderOutput:
    """A training or evaluation pass."""

    outputs: Leaf  # float32 [b, h, w, o]: parameters of the likelihood of each pixel
    recon: Leaf  # float32 [b, h, w, c]: `likelihood.mean` of them, nominally in [-1, 1]
    quantized: QuantizerOutput
    kl: Leaf  # float32 [b]: KL term of the head, nats per image


class Autoencoder(nn.Module):
    """A tokenizer: images in [-1, 1] to code indices and back.

    Attributes:
        encoder: images to features; knows its `downsampling_factor`.
        head: features to the latents `z_e`, a point or a Gaussian.
        quantizer: `z_e` to codes.
        decoder: codes to the parameters of `likelihood`.
        likelihood: what the decoder's outputs mean.
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
        return self.encoder.downsampling_factor

    def grid_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the code grid.

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
        """Shape of the code indices of an image.

        Raises:
            InputError: the size is not a multiple of the downsampling factor, or not
                the one that the quantizer is for.
        """
        return self.quantizer.tokens_shape(*self.grid_size(height, width))

    def __call__(
        self, images: Float[Array, "b h w c"], *, train: bool
    ) -> AutoencoderOutput:
        head = self._latents(images, train=train)
        quantized = self.quantizer(head.z_e, train=train)
        outputs = self.decoder(quantized.z_q, train=train)
        recon = self.likelihood.mean(outputs, self.channels)
        return AutoencoderOutput(outputs, recon, quantized, head.kl)

    def encode(self, images: Float[Array, "b h w c"]) -> Int[Array, "b *tokens"]:
        """Code indices of images in [-1, 1]."""
        head = self._latents(images, train=False)
        return self.quantizer(head.z_e, train=False).indices

    def decode(self, indices: Int[Array, "b *tokens"]) -> Float[Array, "b h w c"]:
        """Images, nominally in [-1, 1]: exactly what the forward pass reconstructs."""
        outputs = self.decoder(self.quantizer.lookup(indices), train=False)
        return self.likelihood.mean(outputs, self.channels)

    def start_codebook(self, images: Float[Array, "b h w c"]) -> None:
        """Data-dependent start of the codebook; apply with its collections mutable."""
        self.quantizer.start(self._latents(images, train=False).z_e)

    def update_codebook(self) -> None:
        """Next state of a codebook that no gradient learns; see `Quantizer`."""
        self.quantizer.update()

    def _latents(self, images, *, train: bool):
        self.grid_size(*images.shape[1:3])
        if images.shape[-1] != self.channels:
            raise InputError(
                f"images have {images.shape[-1]} channels but the model takes "
                f"{self.channels}; convert them, or set config.data.channels."
            )
        return self.head(self.encoder(images, train=train), train=train)
