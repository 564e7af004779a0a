"""Self-attention that sees no later position, with a cache of keys and values."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Bool, Float

from vq_jax.errors import InputError
from vq_jax.ops import rotary
from vq_jax.ops.attention import attend
from vq_jax.ops.rotary import Rotation
from vq_jax.typing import Leaf


@struct.dataclass
class KeyValueCache:
    """Keys and values of the positions that an attention layer has seen."""

    keys: Leaf  # [b, heads, capacity, head_dim]
    values: Leaf  # [b, heads, capacity, head_dim]

    @property
    def capacity(self) -> int:
        """Number of positions there is room for."""
        return self.keys.shape[2]

    def written(self, keys, values, start) -> "KeyValueCache":
        """With the keys and values of the positions from `start` on.

        XLA moves a write that goes past the end back to where it fits, over earlier
        positions. So that is an error, where `start` is a number; a traced one has to
        be in bounds.

        Raises:
            InputError: there is no room for them.
        """
        check_room(self.capacity, start, keys.shape[2])
        return KeyValueCache(
            jax.lax.dynamic_update_slice_in_dim(self.keys, keys, start, axis=2),
            jax.lax.dynamic_update_slice_in_dim(self.values, values, start, axis=2),
        )


class CausalAttention(nn.Module):
    """Multi-head attention of each position to itself and to those before it.

    Attributes:
        num_heads: number of heads, which divides the number of channels.
        use_bias: whether the two linear maps have biases, which start at 0.
        stddev: of the normal initialisation.
        dtype: of the computation and the cache; softmax and parameters are float32.
    """

    num_heads: int
    use_bias: bool = False
    stddev: float = 0.02
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t d"],
        rotation: Rotation | None = None,
        cache: KeyValueCache | None = None,
        start=0,
    ) -> tuple[Float[Array, "b t d"], KeyValueCache | None]:
        """The result for each position, and the cache with their keys and values.

        Args:
            rotation: of queries and keys; one row a position of x, or none.
            cache: has the positions before `start`; none where x begins at the first.
            start: number of the first position of x.
        """
        queries, keys, values = self._heads(x)
        if rotation is not None:
            queries, keys = (rotary.rotate(a, rotation) for a in (queries, keys))
        if cache is not None:
            cache = cache.written(keys, values, start)
            keys, values = cache.keys, cache.values
        mask = causal_mask(queries.shape[2], keys.shape[2], start)
        y = attend(queries, keys, values, mask)
        y = y.swapaxes(1, 2).reshape(x.shape)
        return self._dense(x.shape[-1], "out")(y), cache

    def _heads(self, x):
        """Queries, keys and values, [b, heads, t, head_dim]."""
        joined = self._dense(3 * x.shape[-1], "qkv")(x)
        split = joined.reshape(*x.shape[:2], 3, self.num_heads, -1)
        return split.transpose(2, 0, 3, 1, 4)

    def _dense(self, features: int, name: str) -> nn.Dense:
        return nn.Dense(
            features,
            use_bias=self.use_bias,
            kernel_init=nn.initializers.normal(self.stddev),
            dtype=self.dtype,
            name=name,
        )


def check_room(capacity: int, start, count: int) -> None:
    """Raises InputError where a cache has no room for positions from `start` on."""
    end = count + (0 if isinstance(start, jax.core.Tracer) else int(start))
    if end > capacity:
        raise InputError(
            f"position {end - 1} does not fit into a cache of {capacity} positions, "
            "all of which are taken; begin another sequence."
        )


def causal_mask(num_queries: int, num_keys: int, start=0) -> Bool[Array, "t s"]:
    """Whether query i, at position start + i, sees the key of position j: j <= it."""
    queries = start + jnp.arange(num_queries)
    return jnp.arange(num_keys)[None, :] <= queries[:, None]
