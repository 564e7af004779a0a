"""Restored images from a restorer and its tokenizer; pure functions."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt8

from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.layers.fusion import unchanged
from vq_jax.models.restorer import Encoded, Restorer, RestorerOutput
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

    def init(
        self, key: jax.Array, variables: Variables, images: Float[Array, "b h w c"]
    ) -> Variables:
        """Random variables of the restorer; those of the tokenizer may be all 0."""

        def everything(restorer, images):
            output = restorer(images, self.codebook(variables), train=False)
            fuse = functools.partial(
                restorer.fuse, features=output.encoded.features, fidelity=1.0
            )
            z_e = output.encoded.z_e
            self.tokenizer.apply(variables, z_e, fuse, method="decode_latents")

        return self.restorer.init(key, images, method=everything)

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
        params: Variables,
        variables: Variables,
        indices: Int[Array, "b hq wq"],
        encoded: Encoded,
        fidelity: Float[Array, ""] | float,
    ) -> Float[Array, "b h w c"]:
        """Images of predicted codes, nominally in [-1, 1].

        At a fidelity w of 0 the image is made of codes alone. What more w lets through
        depends on the restorer. With fusions, the decoder gets the vectors of the codes
        whatever w is, and w scales what the encoder's features of higher resolutions
        add to its own (2206.11253, equation 5). Without, the decoder gets
        (1 - w) e + w z_e, with e the vectors of the codes. No code is chosen at 1: z_e
        is the mean of what the clean image's codes may be, as it learnt by squared
        error, so the image is smoother and its squared error smaller.

        Args:
            params: the restorer's, as `predict` takes them.
            variables: the tokenizer's.
            indices: predicted codes.
            encoded: the degraded images.
            fidelity: w, in [0, 1].
        """
        latents = self.tokenizer.apply(variables, indices, method="lookup")
        if self.restorer.fuse_levels:

            def fuse(x, level):
                arguments = (x, level, encoded.features, fidelity)
                return self.restorer.apply(params, *arguments, method="fuse")

        else:
            fuse, vectors = unchanged, latents
            latents = (1.0 - fidelity) * vectors + fidelity * encoded.z_e
            latents = latents.astype(vectors.dtype)
        return self.tokenizer.apply(variables, latents, fuse, method="decode_latents")


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
    restored = models.decode(params, variables, indices, output.encoded, fidelity)
    return image_ops.to_uint8(restored)
