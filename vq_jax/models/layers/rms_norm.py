"""Root-mean-square normalisation."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float


class RmsNorm(nn.Module):
    """x / √(mean x² + ε) · scale over the last axis (RMSNorm, 1910.07467).

    Attributes:
        epsilon: ε.
        dtype: dtype of the result; the computation is float32.
    """

    epsilon: float = 1e-5
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        x = x.astype(jnp.float32)
        mean_square = jnp.mean(jnp.square(x), axis=-1, keepdims=True)
        normed = x * jax.lax.rsqrt(mean_square + self.epsilon)
        return (normed * jnp.expand_dims(scale, range(x.ndim - 1))).astype(self.dtype)
