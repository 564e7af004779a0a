"""Self-attention of unit queries and keys, over a cache of earlier tokens."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Bool, Float

from vq_jax.ops import vectors
from vq_jax.typing import Leaf

START_SCALE, MAX_SCALE = 4.0, 100.0


@struct.dataclass
class KeyValues:
    """Keys and values of the tokens so far, with room for those to come."""

    keys: Leaf  # [b, t, heads, head_dim]; of all layers: [layers, b, …]
    values: Leaf  # likewise


class UnitAttention(nn.Module):
    """Self-attention whose queries and keys are unit vectors, as in VAR (2404.02905).

    Logits of a head are cosines times a learnt scale, 4 at first and at most 100, so
    that they stay bounded. Keys have no bias. The softmax is float32.

    Attributes:
        num_heads: divides the channels.
        unit: False leaves queries and keys as they are, and multiplies their products
            by 0.25 / √head_dim.
        kernel_std: deviation of the initial kernels.
        out_std: that of the kernel of the output.
        dtype: of the computation.
    """

    num_heads: int
    unit: bool
    kernel_std: float
    out_std: float
    dtype: str

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b n c"],
        mask: Bool[Array, "n s"],
        cache: KeyValues | None = None,
    ) -> tuple[Float[Array, "b n c"], KeyValues | None]:
        """`(y, cache)`: what the last n of s tokens take from those that they see.

        Args:
            mask: True where a token (row) sees another one.
            cache: of the s - n tokens before; without one, s has to be n.

        Raises:
            ValueError: s is more than the cache has room for.
        """
        q, k, v = self._heads(x)
        if cache is not None:
            cache = _written(cache, k, v, mask.shape[1])
            k, v = (a[:, : mask.shape[1]] for a in (cache.keys, cache.values))
        scale = 1.0 if self.unit else 0.25 / math.sqrt(q.shape[-1])
        y = jax.nn.dot_product_attention(q, k, v, mask=mask[None, None], scale=scale)
        out = self._dense("out", x.shape[-1], self.out_std)
        return out(y.reshape(x.shape)), cache

    def _heads(self, x):
        """Queries, keys and values, [b, n, heads, head_dim] each."""
        channels = x.shape[-1]
        q = self._dense("query", channels, self.kernel_std)(x)
        k = self._dense("key", channels, self.kernel_std, use_bias=False)(x)
        v = self._dense("value", channels, self.kernel_std)(x)
        q, k, v = (a.reshape(*x.shape[:2], self.num_heads, -1) for a in (q, k, v))
        if not self.unit:
            return q, k, v
        start = nn.initializers.constant(math.log(START_SCALE))
        log_scale = self.param("log_scale", start, (self.num_heads,))
        scale = jnp.exp(jnp.minimum(log_scale, math.log(MAX_SCALE)))
        q = vectors.unit(q) * scale[None, None, :, None]
        return q.astype(self.dtype), vectors.unit(k).astype(self.dtype), v

    def _dense(self, name: str, channels: int, std: float, use_bias: bool = True):
        init = nn.initializers.normal(std)
        return nn.Dense(
            channels, use_bias, dtype=self.dtype, kernel_init=init, name=name
        )


def _written(cache: KeyValues, keys, values, end: int) -> KeyValues:
    """The cache with the keys and values of the tokens that come before `end`."""
    room = cache.keys.shape[1]
    if end > room:
        raise ValueError(f"{end} tokens are more than the {room} of the cache.")
    new = slice(end - keys.shape[1], end)
    return KeyValues(
        keys=cache.keys.at[:, new].set(keys), values=cache.values.at[:, new].set(values)
    )
