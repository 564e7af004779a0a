"""The two-layer networks of transformer blocks."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float


class SwiGlu(nn.Module):
    """W₂(silu(W₁x) · W₃x), without biases (SwiGLU, 2002.05202, eq. 6).

    Attributes:
        multiple_of: the hidden channels are ⅔ · 4 · d, up to a multiple of this.
        stddev: of the normal initialisation.
        dtype: of the computation; parameters are float32.
    """

    multiple_of: int = 256
    stddev: float = 0.02
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
        hidden_dim = -(-(8 * x.shape[-1] // 3) // self.multiple_of) * self.multiple_of

        def dense(features, name):
            init = nn.initializers.normal(self.stddev)
            return nn.Dense(
                features, use_bias=False, kernel_init=init, dtype=self.dtype, name=name
            )

        gate = jax.nn.silu(dense(hidden_dim, "gate")(x))
        return dense(x.shape[-1], "out")(gate * dense(hidden_dim, "up")(x))


class Mlp(nn.Module):
    """W₂ GELU(W₁x + b₁) + b₂, with the exact GELU (1606.08415) and 4 · d channels.

    Attributes:
        stddev: of the normal initialisation; biases start at 0.
        dtype: of the computation; parameters are float32.
    """

    stddev: float = 0.02
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
        def dense(features, name):
            init = nn.initializers.normal(self.stddev)
            return nn.Dense(features, kernel_init=init, dtype=self.dtype, name=name)

        hidden = dense(4 * x.shape[-1], "in")(x)
        hidden = jax.nn.gelu(hidden, approximate=False)
        return dense(x.shape[-1], "out")(hidden)
