"""A gated PixelCNN over one grid of codes, and the codes of coarser grids for it."""

from collections.abc import Callable

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.models.layers.gated import GatedLayer
from vq_jax.models.layers.residual import ResidualStack
from vq_jax.ops import causal_convolution, resample

Choose = Callable[[Float[Array, "b k"], Int[Array, ""]], Int[Array, "b"]]
"""Codes of the next position, from its logits and its number, row by row."""


class GatedPixelCnn(nn.Module):
    """Logits of each code of a grid, given those before it, row by row (1606.05328).

    The last layer is 0 at first, and so are all logits.

    Attributes:
        grid: height and width.
        codebook_size: K.
        channels: of both stacks, and of an embedded code.
        num_layers: gated layers.
        first_kernel_size: side of the kernel of the first one, an odd number.
        kernel_size: of the others.
        head_dim: channels between the two 1x1 convolutions that give the logits.
        dropout: rate of dropout in each layer, and between the two.
        remat: whether the backward pass computes each layer again, to save memory.
        dtype: of the computation; parameters and logits are float32.
    """

    grid: tuple[int, int]
    codebook_size: ranges.CodebookSize
    channels: ranges.Width
    num_layers: ranges.Repeats
    first_kernel_size: ranges.Width
    kernel_size: ranges.Width
    head_dim: ranges.Width
    dropout: ranges.DropRate = 0.0
    remat: bool = False
    dtype: str = "float32"

    def setup(self):
        self.embed = nn.Embed(self.codebook_size, self.channels, dtype=self.dtype)
        first = [self.first_kernel_size] + [self.kernel_size] * (self.num_layers - 1)
        self.layers = [
            GatedLayer(self.channels, size, i == 0, self.dropout, self.dtype)
            for i, size in enumerate(first)
        ]
        self.drop = nn.Dropout(self.dropout)
        self.hidden = nn.Dense(self.head_dim, dtype=self.dtype)
        self.logits = nn.Dense(self.codebook_size, kernel_init=nn.initializers.zeros)

    def __call__(
        self,
        codes: Int[Array, "b h w"],
        condition: Float[Array, "b _ _ d"],
        *,
        train: bool,
    ) -> Float[Array, "b h w k"]:
        """All logits at once, float32.

        Args:
            condition: features of the whole image, [b, 1, 1, d], or of each position.
        """
        embedded = self.embed(codes)
        vertical = causal_convolution.shift_down(embedded)
        horizontal = causal_convolution.shift_right(embedded)

        def both(layer, vertical, horizontal):
            batch, height, width = codes.shape
            vertical, link, _ = layer.vertical(
                vertical, condition, layer.new_past(batch, width), train=train
            )
            horizontal, _ = layer.horizontal(
                horizontal, link, layer.new_row(batch, height), train=train
            )
            return vertical, horizontal

        step = nn.remat(both) if self.remat else both
        for layer in self.layers:
            vertical, horizontal = step(layer, vertical, horizontal)
        return self._head(horizontal, train=train)

    def sample(
        self, condition: Float[Array, "b _ _ d"], choose: Choose
    ) -> Int[Array, "b h w"]:
        """Codes drawn one after the other, each position at the same cost.

        Of a row, the vertical stack is computed once, as soon as the rows above are
        known; of a position, only its own column of the horizontal stack. Both keep no
        more than the windows of the next layers.
        """
        batch, (height, width) = len(condition), self.grid
        wide = (batch, height, *condition.shape[2:])
        condition = jnp.broadcast_to(condition, wide)

        def row(self, carry, number, condition):
            above, pasts = carry
            links, new = [], []
            for layer, past in zip(self.layers, pasts, strict=True):
                above, link, past = layer.vertical(
                    above, condition[:, None], past, train=False
                )
                links.append(link[:, 0])
                new.append(past)
            codes, embedded = self._sample_row(links, number * width, choose)
            return (embedded[:, None], new), codes

        pasts = [layer.new_past(batch, width) for layer in self.layers]
        above = jnp.zeros((batch, 1, width, self.channels), self.dtype)
        scan = nn.scan(row, **LOOP, in_axes=(0, 1), out_axes=1)
        _, codes = scan(self, (above, pasts), jnp.arange(height), condition)
        return codes

    def _sample_row(self, links, first, choose: Choose):
        """Codes [b, w] of a row and their embeddings [b, w, c]."""
        batch, width = links[0].shape[:2]

        def column(self, carry, number, links):
            left, rows = carry
            x, new = left, []
            for layer, link, row in zip(self.layers, links, rows, strict=True):
                x, row = layer.horizontal(x, link[:, None, None], row, train=False)
                new.append(row)
            codes = choose(self._head(x, train=False)[:, 0, 0], number)
            embedded = self.embed(codes)
            return (embedded[:, None, None], new), (codes, embedded)

        rows = [layer.new_row(batch, 1) for layer in self.layers]
        left = jnp.zeros((batch, 1, 1, self.channels), self.dtype)
        scan = nn.scan(column, **LOOP, in_axes=(0, 1), out_axes=1)
        _, found = scan(self, (left, rows), first + jnp.arange(width), links)
        return found

    def _head(self, x, *, train: bool):
        x = self.drop(self.hidden(nn.relu(x)), deterministic=not train)
        return self.logits(nn.relu(x).astype(jnp.float32))


LOOP = {"variable_broadcast": "params", "split_rngs": {"params": False}}
"""Options of a loop over pieces of a grid: the same parameters for all."""


class CoarserCodes(nn.Module):
    """Features of a grid's positions, from the codes of all coarser grids (VQ-VAE-2).

    Embedded codes are enlarged by nearest to the grid, added, and go through residual
    blocks, which see all around a position.

    Attributes:
        grid: height and width of the result.
        codebook_size: K.
        channels: of the result.
        num_blocks: residual blocks.
        dtype: of the computation; parameters are float32.
    """

    grid: tuple[int, int]
    codebook_size: ranges.CodebookSize
    channels: ranges.Width
    num_blocks: ranges.Depth
    dtype: str = "float32"

    @nn.compact
    def __call__(self, coarser: list[Int[Array, "b _ _"]]) -> Float[Array, "b h w d"]:
        total = 0.0
        for codes in coarser:
            rows, columns = map(resample.nearest, self.grid, codes.shape[1:])
            enlarged = codes[:, rows][:, :, columns]
            embed = nn.Embed(self.codebook_size, self.channels, dtype=self.dtype)
            total = total + embed(enlarged)
        return ResidualStack(self.num_blocks, self.channels, self.dtype)(total)
