"""LPIPS of reconstructions, by the nets that judge."""

from collections.abc import Mapping

from jaxtyping import Array, Float

from vq_jax.models.perceptual.lpips import Lpips
from vq_jax.ops import images as image_ops


def lpips(
    nets: Mapping[str, dict],
    recon: Float[Array, "b h w c"],
    images: Float[Array, "b h w c"],
) -> dict[str, Float[Array, "b"]]:
    """{"lpips_NET": distance of each image} of the uint8 images that a user would see.

    Args:
        nets: name of a net -> parameters of its `Lpips`.
    """
    recon, images = (
        image_ops.from_uint8(image_ops.to_uint8(x)) for x in (recon, images)
    )
    return {
        f"lpips_{net}": Lpips(net=net).apply({"params": params}, recon, images)
        for net, params in nets.items()
    }
