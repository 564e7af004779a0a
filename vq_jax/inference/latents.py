"""Images to latents before the quantizer, and on from there; pure functions.

For what changes latents on the way, as mixing or optimising them does. `tokenizer.py`
has the way from images to codes and back.
"""

from jaxtyping import Array, Float, Int, UInt8

from vq_jax.models.autoencoder import Autoencoder
from vq_jax.ops import images as image_ops
from vq_jax.typing import Variables


def encode(
    model: Autoencoder, variables: Variables, images: UInt8[Array, "b h w c"]
) -> Float[Array, "b hq wq d"]:
    """`z_e` of images."""
    images = image_ops.from_uint8(images)
    return model.apply(variables, images, method="encode_latents")


def codes(
    model: Autoencoder, variables: Variables, z_e: Float[Array, "b hq wq d"]
) -> Int[Array, "b *tokens"]:
    """int32 codes that the quantizer gives `z_e`."""
    return model.apply(variables, z_e, method="quantize").indices


def decode(
    model: Autoencoder, variables: Variables, z_e: Float[Array, "b hq wq d"]
) -> Float[Array, "b h w c"]:
    """Images of the codes of `z_e`, nominally in [-1, 1]; gradients reach `z_e`.

    Those of a model without codes are images of `z_e` itself.
    """
    z_q = model.apply(variables, z_e, method="quantize").z_q
    return model.apply(variables, z_q, method="decode_latents")
