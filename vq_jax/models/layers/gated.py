"""The layer of a gated PixelCNN, for whole grids, and row by row."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.ops import causal_convolution


class GatedLayer(nn.Module):
    """A layer of Gated PixelCNN's two stacks (1606.05328, figure 2).

    The vertical stack sees all columns of the rows up to its own, the horizontal one
    its own row up to its own column; the vertical gates are added to the horizontal
    ones through a 1x1 convolution, never the reverse. What the stacks are given has to
    be shifted before, the vertical one by a row and the horizontal one by a column.
    Together they then see everything before a position and nothing else.

    No weight is masked: windows end where the mask would begin. Both methods take what
    came before their argument, `past`, and return what has to be passed with the next
    piece. So a whole grid with `new_past`, and the same grid piece by piece, are the
    same computation.

    Attributes:
        channels: of both stacks.
        kernel_size: side of the kernel before it is cut, an odd number.
        first: the layer on shifted codes, where the original has mask "A": its windows
            are shorter by the shift, and the horizontal stack has no residual sum.
        dropout: rate of dropout behind the gates, in training.
        dtype: of the computation; parameters are float32.
    """

    channels: ranges.Width
    kernel_size: ranges.Width
    first: bool = False
    dropout: ranges.DropRate = 0.0
    dtype: str = "float32"

    def setup(self):
        channels, span = self.channels, self._span
        init = nn.initializers.lecun_normal()
        shapes = {
            "vertical_kernel": (span, self.kernel_size, channels, 2 * channels),
            "horizontal_kernel": (1, span, channels, 2 * channels),
        }
        for name, shape in shapes.items():
            setattr(self, name, self.param(name, init, shape))
        self.condition = nn.Dense(4 * channels, dtype=self.dtype)
        self.link = nn.Dense(2 * channels, dtype=self.dtype)
        self.out = nn.Dense(channels, dtype=self.dtype)
        self.drop = nn.Dropout(self.dropout)

    @property
    def _span(self) -> int:
        return self.kernel_size // 2 + (0 if self.first else 1)

    def new_past(self, batch: int, width: int) -> Float[Array, "b _ w c"]:
        """The rows above a grid, for `vertical`: zeros."""
        return jnp.zeros((batch, self._span - 1, width, self.channels), self.dtype)

    def new_row(self, batch: int, height: int) -> Float[Array, "b h _ c"]:
        """The columns to the left of rows, for `horizontal`: zeros."""
        return jnp.zeros((batch, height, self._span - 1, self.channels), self.dtype)

    def vertical(
        self,
        x: Float[Array, "b h w c"],
        condition: Float[Array, "b _ _ d"],
        past: Float[Array, "b _ w c"],
        *,
        train: bool,
    ):
        """`(result [b, h, w, c], link [b, h, w, 2c], past)` of the rows in x.

        Args:
            condition: features of the whole image, [b, 1, 1, d], or of each position.
        """
        x = jnp.concatenate([past, x], axis=1)
        edge = self.kernel_size // 2
        padded = jnp.pad(x, ((0, 0), (0, 0), (edge, edge), (0, 0)))
        gates = self._convolve(padded, self.vertical_kernel)
        for_vertical, for_horizontal = jnp.split(self.condition(condition), 2, axis=-1)
        gates = gates + for_vertical
        result = self.drop(_gated(gates), deterministic=not train)
        past = x[:, x.shape[1] - past.shape[1] :]
        return result, self.link(gates) + for_horizontal, past

    def horizontal(
        self,
        x: Float[Array, "b h w c"],
        link: Float[Array, "b h w _"],
        past: Float[Array, "b h _ c"],
        *,
        train: bool,
    ):
        """`(result [b, h, w, c], past)` of the columns in x; `link` is of the same."""
        seen = jnp.concatenate([past, x], axis=2)
        gates = self._convolve(seen, self.horizontal_kernel) + link
        result = self.out(self.drop(_gated(gates), deterministic=not train))
        past = seen[:, :, seen.shape[2] - past.shape[2] :]
        return (result if self.first else x + result), past

    def _convolve(self, x, kernel):
        return causal_convolution.convolve_windows(x, kernel.astype(self.dtype))


def _gated(gates):
    """tanh(a) · σ(g) of both halves of the channels (equation 2)."""
    value, gate = jnp.split(gates, 2, axis=-1)
    return jnp.tanh(value) * jax.nn.sigmoid(gate)
