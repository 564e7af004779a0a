"""The GPT of taming-transformers."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from vq_jax.config import ranges
from vq_jax.models.layers.mlp import Mlp
from vq_jax.models.priors.causal import STDDEV, CausalPrior


class GptPrior(CausalPrior):
    """A causal transformer with learnt positions, as in VQGAN (2012.09841, sec. 3.2).

    LayerNorm with ε 1e-5, the exact GELU, biases but for the map to logits. A position
    of the sequence has a learnt vector, 0 at first; all else starts normal with
    deviation 0.02. Classes have rows of their own, where taming's share those of codes.

    Attributes:
        corruption: probability that a training pass reads a code drawn uniformly in
            place of the true one, which it predicts all the same: 1 - pkeep of taming.
    """

    corruption: ranges.Fraction = 0.0

    use_bias = True
    head_stddev = STDDEV

    def setup(self):
        super().setup()
        self.positions = self._table("positions", self._num_positions, stddev=0.0)

    @property
    def _num_positions(self) -> int:
        """The class is at the first; nothing reads the last code."""
        return self._length

    def _norm_maker(self):
        return functools.partial(
            nn.LayerNorm, 1e-5, dtype=self.dtype, use_fast_variance=False
        )

    def _mlp_maker(self):
        return functools.partial(Mlp, stddev=STDDEV, dtype=self.dtype)

    def _embed_class(self, labels, order):
        return super()._embed_class(labels, order) + self.positions[:1]

    def _embed(self, codes, start, order):
        places = lax.dynamic_slice_in_dim(self.positions, start + 1, codes.shape[1])
        return self.tokens[codes] + places[None]

    def _corrupted(self, codes):
        if not self.corruption:
            return codes
        where, what = jax.random.split(self.make_rng("corruption"))
        changed = jax.random.bernoulli(where, self.corruption, codes.shape)
        others = jax.random.randint(what, codes.shape, 0, self.layout.codebook_size)
        return jnp.where(changed, others, codes)
