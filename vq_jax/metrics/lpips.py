"""LPIPS of reconstructions, as a metric of evaluation."""

from collections.abc import Mapping

from jaxtyping import Array, Float

from vq_jax.models.perceptual.lpips import Lpips
from vq_jax.ops import images as image_ops


def lpips(
    nets: Mapping[str, dict],
    recon: Float[Array, "b h w c"],
    images: Float[Array, "b h w c"],
) -> dict[str, Float[Array, "b"]]:
    """{"lpips_NET": LPIPS distance of each reconstruction} for each network.

    Both arguments are nominally in [-1, 1], and rounded to uint8 first, as a user sees
    them.

    Args:
        nets: name of each network -> parameters of its `Lpips`.
    """
    recon, images = (
        image_ops.from_uint8(image_ops.to_uint8(x)) for x in (recon, images)
    )
    return {
        f"lpips_{net}": Lpips(net=net).apply({"params": params}, recon, images)
        for net, params in nets.items()
    }
