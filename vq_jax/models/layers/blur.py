"""Anti-aliased down-sampling."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def blur_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Half the size after the binomial filter [1, 3, 3, 1] (StyleGAN2 1912.04958).

    Padded with zeros as "SAME": one pixel on each side of an even size. The filter's
    weights sum to 1.
    """
    taps = jnp.asarray([1.0, 3.0, 3.0, 1.0]) / 8.0
    dim = x.shape[-1]
    kernel = jnp.broadcast_to(jnp.outer(taps, taps)[:, :, None, None], (4, 4, 1, dim))
    return lax.conv_general_dilated(
        x,
        kernel.astype(x.dtype),
        (2, 2),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=dim,
    )
