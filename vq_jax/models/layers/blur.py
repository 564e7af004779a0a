"""Down-sampling after a blur, which avoids aliasing."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def blur_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Halves height and width after a binomial filter [1, 3, 3, 1] (StyleGAN2).

    1912.04958. The weights of the filter sum to 1. The padding is that of "SAME", with
    zeros: one pixel on each side of an even size.
    """
    taps = jnp.asarray([1.0, 3.0, 3.0, 1.0]) / 8.0
    channels = x.shape[-1]
    kernel = jnp.outer(taps, taps)[:, :, None, None]
    kernel = jnp.broadcast_to(kernel, (4, 4, 1, channels))
    return lax.conv_general_dilated(
        x,
        kernel.astype(x.dtype),
        (2, 2),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=channels,
    )
