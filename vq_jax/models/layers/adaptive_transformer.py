"""A transformer whose norms and gains are set by a condition, as an image's class."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from vq_jax.models.layers.adaptive_attention import KeyValues, UnitAttention

EPSILON = 1e-6


class AdaptiveNorm(nn.Module):
    """LayerNorm without parameters of its own, then x · (1 + scale) + shift.

    Attributes:
        dtype: of the result; statistics are float32.
    """

    dtype: str

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b n c"],
        scale: Float[Array, "b c"],
        shift: Float[Array, "b c"],
    ) -> Float[Array, "b n c"]:
        norm = nn.LayerNorm(
            epsilon=EPSILON, use_bias=False, use_scale=False, dtype=self.dtype
        )
        return norm(x) * (1 + scale[:, None]) + shift[:, None]


class AdaptiveBlock(nn.Module):
    """Attention, then an MLP, each between an adaptive norm and a gain.

    These are the blocks of DiT (AdaLN-zero, 2212.09748) with gains that start near 0.

    Attributes:
        num_heads: of attention.
        mlp_ratio: hidden channels of the MLP over channels.
        unit: whether queries and keys are unit vectors.
        shared: whether the condition is six vectors, to which a block adds its own;
            else it is one vector, which a linear map of the block makes six.
        initial_gain: factor of the map to the gains, at first.
        kernel_std: deviation of the initial kernels.
        out_std: that of the last kernels of attention and MLP.
        dtype: of the computation.
    """

    num_heads: int
    mlp_ratio: float
    unit: bool
    shared: bool
    initial_gain: float
    kernel_std: float
    out_std: float
    dtype: str

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b n c"],
        drop_rate: Float[Array, ""] | None,
        cache: KeyValues | None,
        condition: Float[Array, "b *six c"],
        mask: Bool[Array, "n s"],
    ) -> tuple[Float[Array, "b n c"], KeyValues | None]:
        """`(x, cache)`, as of `UnitAttention`.

        Args:
            drop_rate: probability that an image skips a part; None in evaluation.
        """
        gains, scales, shifts = self._modulation(condition)
        attention = UnitAttention(
            self.num_heads,
            self.unit,
            self.kernel_std,
            self.out_std,
            self.dtype,
            name="attention",
        )
        y = AdaptiveNorm(self.dtype)(x, scales[0], shifts[0])
        y, cache = attention(y, mask, cache)
        x = x + self._dropped(gains[0][:, None] * y, drop_rate)
        y = AdaptiveNorm(self.dtype)(x, scales[1], shifts[1])
        y = self._dense("mlp_in", round(self.mlp_ratio * x.shape[-1]))(y)
        y = nn.gelu(y, approximate=True)
        y = self._dense("mlp_out", x.shape[-1], self.out_std)(y)
        return x + self._dropped(gains[1][:, None] * y, drop_rate), cache

    def _modulation(self, condition):
        """Gains, scales and shifts: [b, c] of attention, and of the MLP."""
        channels = condition.shape[-1]
        if self.shared:
            init = modulation_init(channels**-0.5, self.initial_gain)
            own = self.param("modulation", init, (6 * channels,))
            six = condition + own.reshape(1, 6, channels).astype(self.dtype)
        else:
            init = modulation_init(self.kernel_std, self.initial_gain)
            layer = nn.Dense(
                6 * channels, dtype=self.dtype, kernel_init=init, name="modulation"
            )
            six = layer(nn.silu(condition)).reshape(-1, 6, channels)
        parts = [six[:, i] for i in range(6)]
        return parts[:2], parts[2:4], parts[4:]

    def _dense(self, name: str, channels: int, std: float | None = None):
        init = nn.initializers.normal(std or self.kernel_std)
        return nn.Dense(channels, dtype=self.dtype, kernel_init=init, name=name)

    def _dropped(self, y, rate):
        """Stochastic depth (1603.09382): 0 for some images, the others are enlarged."""
        if rate is None:
            return y
        key = self.make_rng("dropout")
        keep = jax.random.bernoulli(key, 1.0 - rate, (len(y), 1, 1))
        return jnp.where(keep, y / (1.0 - rate).astype(y.dtype), 0.0)


class AdaptiveTransformer(nn.Module):
    """Blocks one after the other, compiled as one block.

    Parameters of all blocks are stacked along a first axis, of layers.

    Attributes:
        num_layers: number of blocks.
        num_heads, mlp_ratio, unit, shared, initial_gain, kernel_std: of a block.
        drop_path: probability that an image skips a part of the last block; that of
            the first block is 0, and it grows linearly between them.
        remat: whether training computes activations twice instead of keeping them.
        dtype: of the computation.
    """

    num_layers: int
    num_heads: int
    mlp_ratio: float
    unit: bool
    shared: bool
    initial_gain: float
    kernel_std: float
    drop_path: float
    remat: bool
    dtype: str

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b n c"],
        condition: Float[Array, "b *six c"],
        mask: Bool[Array, "n s"],
        cache: KeyValues | None = None,
        *,
        train: bool,
    ) -> tuple[Float[Array, "b n c"], KeyValues | None]:
        """`(x, cache)`, as of `UnitAttention`; drops from "dropout" in training."""
        rates = None
        if train and self.drop_path:
            rates = jnp.linspace(0.0, self.drop_path, self.num_layers)
        block = (
            nn.remat(AdaptiveBlock, prevent_cse=False) if self.remat else AdaptiveBlock
        )
        blocks = nn.scan(
            block,
            variable_axes={"params": 0},
            split_rngs={"params": True, "dropout": True},
            in_axes=(0, 0, nn.broadcast, nn.broadcast),
            length=self.num_layers,
        )(
            num_heads=self.num_heads,
            mlp_ratio=self.mlp_ratio,
            unit=self.unit,
            shared=self.shared,
            initial_gain=self.initial_gain,
            kernel_std=self.kernel_std,
            # The sum of all residuals keeps its size with the number of layers.
            out_std=self.kernel_std / math.sqrt(2 * self.num_layers),
            dtype=self.dtype,
            name="blocks",
        )
        return blocks(x, rates, cache, condition, mask)


def modulation_init(std: float, gain: float):
    """Normal values whose last axis holds two gains, scales and shifts.

    The deviation is `std` times `gain` for the gains, and times 0.5 for the others.
    """

    def init(key, shape, dtype=jnp.float32):
        factors = np.repeat([gain] * 2 + [0.5] * 4, shape[-1] // 6).astype(dtype)
        values = std * jax.random.normal(key, shape, dtype)
        return values * factors.reshape((1,) * (len(shape) - 1) + (-1,))

    return init
