"""Restored images from a restorer and its tokenizer; pure functions."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt8

from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.restorer import Restorer, RestorerOutput
from vq_jax.ops import images as image_ops
from vq_jax.typing import Variables


class Models(NamedTuple):
    """The modules of restoration.

    Attributes:
        restorer: from degraded images to logits of codes.
        tokenizer: whose codes they are; its quantizer and decoder make the image.
    """

    restorer: Restorer
    tokenizer: Autoencoder

    def codebook(self, variables: Variables) -> Float[Array, "k d"]:
        """All codes, of the tokenizer's variables, as its decoder gets them."""
        indices = jnp.arange(self.tokenizer.quantizer.codebook_size)[None, None]
        return self.tokenizer.apply(variables, indices, method="lookup")[0, 0]

    def targets(
        self, variables: Variables, images: Float[Array, "b h w c"]
    ) -> tuple[Int[Array, "b hq wq"], Float[Array, "b hq wq d"]]:
        """Codes and `z_q` of clean images in [-1, 1], by the tokenizer."""
        # The decoder's part of it is never computed under jit.
        quantized = self.tokenizer.apply(variables, images, train=False).quantized
        return quantized.indices, quantized.z_q

    def predict(
        self,
        params: Variables,
        variables: Variables,
        degraded: Float[Array, "b h w c"],
    ) -> RestorerOutput:
        """What the restorer of these `params` says of degraded images in [-1, 1].

        `variables` are the tokenizer's.
        """
        codes = self.codebook(variables)
        return self.restorer.apply(params, degraded, codes, train=False)

    def decode(
        self,
        variables: Variables,
        indices: Int[Array, "b hq wq"],
        z_e: Float[Array, "b hq wq d"],
        fidelity: Float[Array, ""] | float,
    ) -> Float[Array, "b h w c"]:
        """Images of predicted codes, nominally in [-1, 1].

        The decoder gets (1 - w) e + w z_e, with e the vectors of the codes, z_e the
        encoder's features and w the fidelity. At 0 the image is made of codes alone. At
        1 no code is chosen: the features are the mean of what the clean image's codes
        may be, as they learnt by squared error, so the image is smoother and its
        squared error smaller. CodeFormer's w means the same to a user but acts in
        other places: it scales the features that its third stage adds to the decoder's
        at four resolutions, on top of codes that stay.

        Args:
            variables: the tokenizer's.
            indices: predicted codes.
            z_e: the encoder's features.
            fidelity: w, in [0, 1].
        """
        vectors = self.tokenizer.apply(variables, indices, method="lookup")
        latents = (1.0 - fidelity) * vectors + fidelity * z_e
        latents = latents.astype(vectors.dtype)
        return self.tokenizer.apply(variables, latents, method="decode_latents")


def most_likely(logits: Float[Array, "b hq wq k"]) -> Int[Array, "b hq wq"]:
    """The code of the largest logit, the first of several; int32."""
    return jnp.argmax(logits, axis=-1).astype(jnp.int32)


def restore(
    models: Models,
    params: Variables,
    variables: Variables,
    degraded: UInt8[Array, "b h w c"],
    fidelity: Float[Array, ""] | float,
) -> UInt8[Array, "b h w c"]:
    """uint8 images restored, of the size of training; see `Models.decode`."""
    output = models.predict(params, variables, image_ops.from_uint8(degraded))
    indices = most_likely(output.logits)
    return image_ops.to_uint8(models.decode(variables, indices, output.z_e, fidelity))
