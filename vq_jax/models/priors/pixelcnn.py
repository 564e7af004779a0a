"""Gated PixelCNN over the codes of an image, one for each of their levels."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.models.layers.pixelcnn import Choose, CoarserCodes, GatedPixelCnn
from vq_jax.models.priors.base import NO_CLASS, Known, Prior, PriorOutput
from vq_jax.ops import cross_entropy, row_keys
from vq_jax.ops.sampling import Sampling, draw, guided
from vq_jax.ops.token_layout import Codes

KernelSize = Literal[3, 5, 7, 9, 11]


class PixelCnnPrior(Prior):
    """The prior of VQ-VAE (1711.00937): a gated PixelCNN (1606.05328) over the codes.

    A code depends on all codes before it, row by row, and on the class. Where an image
    has several levels of codes each has a PixelCNN of its own, which also sees all
    codes of all coarser levels, as the bottom of VQ-VAE-2 sees the top (1906.00446,
    section 3.2). There is no attention. Of residual levels and product heads, which
    share a grid, the first is the coarsest.

    Attributes:
        channels: of the stacks of each PixelCNN.
        num_layers: gated layers of each.
        first_kernel_size: side of the first layer's kernel.
        kernel_size: that of the other layers'.
        head_dim: channels before the logits.
        num_cond_blocks: residual blocks over the codes of coarser levels.
        dropout: rate of dropout in the stacks and before the logits.
        remat: whether the backward pass computes each layer again, to save memory.
    """

    channels: ranges.Width = 64
    num_layers: ranges.Repeats = 15
    first_kernel_size: KernelSize = 7
    kernel_size: KernelSize = 3
    head_dim: ranges.Width = 512
    num_cond_blocks: ranges.Depth = 3
    dropout: ranges.DropRate = 0.0
    remat: bool = False

    def setup(self):
        grids, size = self.layout.grids, self.layout.codebook_size
        self.stacks = [
            GatedPixelCnn(
                grid=grid,
                codebook_size=size,
                channels=self.channels,
                num_layers=self.num_layers,
                first_kernel_size=self.first_kernel_size,
                kernel_size=self.kernel_size,
                head_dim=self.head_dim,
                dropout=self.dropout,
                remat=self.remat,
                dtype=self.dtype,
            )
            for grid in grids
        ]
        self.classes = [
            nn.Embed(self.num_classes + 1, self.channels, dtype=self.dtype)
            for _ in grids
        ]
        self.coarser = [
            CoarserCodes(grid, size, self.channels, self.num_cond_blocks, self.dtype)
            for grid in grids[1:]
        ]

    def loss(self, codes, labels):
        nats = self._nats(codes, self.with_dropped_classes(labels), train=True)
        total = sum(jnp.sum(level) for level in nats)
        loss = total / (len(codes) * self.layout.num_tokens)
        metrics = {}
        if len(nats) > 1:
            for i, level in enumerate(nats):
                metrics[f"level_{i}_loss"] = jnp.mean(level)
        return PriorOutput(loss=loss, metrics=metrics)

    def token_nats(self, codes, labels):
        return self.layout.from_grids(self._nats(codes, labels, train=False))

    def logits(
        self, codes: Codes, labels: Int[Array, "b"], *, train: bool
    ) -> list[Float[Array, "b _ _ k"]]:
        """float32 logits of every code given those before it, level by level."""
        grids = self.layout.to_grids(codes)
        return [
            stack(grid, self._condition(labels, grids[:i]), train=train)
            for i, (stack, grid) in enumerate(zip(self.stacks, grids, strict=True))
        ]

    def sample(self, keys, labels, sampling: Sampling, known: Known | None = None):
        if sampling.is_guided:
            labels = jnp.concatenate([labels, jnp.full_like(labels, NO_CLASS)])
        grids, first = [], 0
        for stack in self.stacks:
            choose = self._choose(keys, sampling, known, first)
            grids.append(stack.sample(self._condition(labels, grids), choose))
            first += grids[-1][0].size
        return self.layout.from_grids([grid[: len(keys)] for grid in grids])

    def _sequence_logits(self, sequence, labels):
        codes = self.layout.from_sequence(sequence)
        levels = self.logits(codes, labels, train=False)
        size = self.layout.codebook_size
        rows = [level.reshape(len(sequence), -1, size) for level in levels]
        return jnp.concatenate(rows, axis=1)

    def _nats(self, codes, labels, *, train: bool):
        """Of each code, level by level."""
        logits = self.logits(codes, labels, train=train)
        grids = self.layout.to_grids(codes)
        return [*map(cross_entropy.token_nats, logits, grids)]

    def _condition(self, labels, coarser):
        """Features that a level is given, [b, 1, 1, d] or of each position."""
        level = len(coarser)
        condition = self.classes[level](self.class_rows(labels))[:, None, None]
        return condition + self.coarser[level - 1](coarser) if coarser else condition

    def _choose(self, keys, sampling: Sampling, known: Known | None, first) -> Choose:
        """Draws a level's codes, of which the first is number `first` of the image.

        With guidance, logits are those with the class and, below, those without it, and
        codes are given for both.
        """
        scales = jnp.asarray(sampling.scales(self.layout.num_tokens))
        if known is not None:
            kept = self.layout.to_sequence(known.codes)
            mask = self.layout.to_sequence(known.mask)

        def choose(logits, number):
            number = number + first
            if sampling.is_guided:
                logits = guided(*jnp.split(logits, 2), scales[number])
            codes = draw(row_keys.folded(keys, number), logits, sampling)
            if known is not None:
                codes = jnp.where(mask[:, number], kept[:, number], codes)
            return jnp.concatenate([codes, codes]) if sampling.is_guided else codes

        return choose
