"""The autoregressive transformer of LlamaGen."""

import functools
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import lax

from vq_jax.config import ranges
from vq_jax.models.layers.mlp import SwiGlu
from vq_jax.models.layers.rms_norm import RmsNorm
from vq_jax.models.priors.causal import STDDEV, CausalPrior
from vq_jax.ops import rotary


class AutoregressivePrior(CausalPrior):
    """A causal transformer with rotary positions on the grid (LlamaGen, 2406.06525).

    RMSNorm with ε 1e-5, SwiGLU and no biases. Queries and keys turn with row and column
    of the code that is read, on the grid of its level; where there are several levels,
    a learnt vector tells them apart. Parameters start normal with deviation 0.02, the
    map to logits at 0.

    Attributes:
        mlp_multiple_of: the hidden channels of an MLP are 8/3 · hidden_dim, up to a
            multiple of this.
        class_rotation: "identity" does not turn query and key of the class; "zero"
            makes them 0, so that it is seen with logit 0, as released LlamaGen weights
            need (docs/quirks.md).
    """

    mlp_multiple_of: ranges.Count = 256
    class_rotation: Literal["identity", "zero"] = "identity"

    def setup(self):
        super().setup()
        positions = self.layout.positions
        self.rotations = rotary.grid_rotation(
            positions[:-1, 1:], self.hidden_dim // self.num_heads
        )
        self.num_levels = len(self.layout.grids)
        if self.num_levels > 1:
            self.levels = self._table("levels", self.num_levels)

    def _norm_maker(self):
        return functools.partial(RmsNorm, dtype=self.dtype)

    def _mlp_maker(self):
        return functools.partial(SwiGlu, self.mlp_multiple_of, STDDEV, self.dtype)

    def _embed(self, codes, start, order):
        x = self.tokens[codes]
        if self.num_levels == 1:
            return x
        levels = jnp.asarray(self.layout.positions[:, 0])
        levels = lax.dynamic_slice_in_dim(levels, start, codes.shape[1])
        return x + self.levels[levels][None]

    def _rotation(self, start, count):
        first = 0.0 if self.class_rotation == "zero" else 1.0
        tables = (
            np.pad(self.rotations.cos, ((1, 0), (0, 0)), constant_values=first),
            np.pad(self.rotations.sin, ((1, 0), (0, 0))),
        )
        return rotary.Rotation(
            *(lax.dynamic_slice_in_dim(table, start, count) for table in tables)
        )
