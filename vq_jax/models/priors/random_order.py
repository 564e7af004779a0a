"""A transformer that learns codes in random orders, and in the end in their own."""

import jax
import jax.numpy as jnp
from jax import lax

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.priors.gpt import GptPrior


class RandomOrderPrior(GptPrior):
    """Randomized autoregressive modelling, RAR (2411.00776, sec. 3.2).

    The inputs are those of `GptPrior`, with the position that a code has in the image,
    and a second vector for the position that is predicted next, which no other input
    tells. A training pass permutes the codes of an image with probability r, which is 1
    for the first `random_until` steps and falls linearly to 0 at `raster_from`.

    `log_prob` is exact: the law of the order of the sequence. Sampling reads all known
    codes first, wherever they lie, and draws the others in order; such laws agree with
    `log_prob` as far as training made them, and are good for little where it saw no
    random orders.

    Blocks are those of `GptPrior`; RAR's have norms of queries and keys, and scales and
    shifts that follow from the class.

    Attributes:
        random_until: the step from which r falls.
        raster_from: the step from which it is 0; with 0 all steps are in raster order.
    """

    random_until: ranges.Steps = 0
    raster_from: ranges.Steps = 0

    keeps = "any"

    def setup(self):
        super().setup()
        if self.random_until > self.raster_from:
            raise InputError(
                f"config.prior.random_until={self.random_until} must not come after "
                f"config.prior.raster_from={self.raster_from}: random orders become "
                "fewer between the two."
            )
        self.targets = self._table("targets", self._length, stddev=0.0)

    @property
    def _num_positions(self):
        return self._length + 1

    def _embed_class(self, labels, order):
        return super()._embed_class(labels, None) + self._next(order, 0, 1)[:, 0]

    def _embed(self, codes, start, order):
        places = self._slice(order, start, codes.shape[1])
        x = self.tokens[codes] + self.positions[1 + places]
        return x + self._next(order, start + 1, codes.shape[1])

    def _next(self, order, start, count):
        return self.targets[self._slice(order, start, count)]

    def _slice(self, order, start, count):
        order = jnp.arange(self._length)[None] if order is None else order
        return lax.dynamic_slice_in_dim(order, start, count, axis=1)

    def _training_order(self, batch_size):
        falling = max(1, self.raster_from - self.random_until)
        share = (self.raster_from - self.training_step()) / falling
        which, what = jax.random.split(self.make_rng("corruption"))
        shape = (batch_size, self._length)
        random = jnp.argsort(jax.random.uniform(what, shape), axis=1)
        chosen = jax.random.bernoulli(which, jnp.clip(share, 0.0, 1.0), (batch_size, 1))
        return jnp.where(chosen, random, jnp.arange(self._length)[None])

    def _sampling_order(self, mask):
        return jnp.argsort(~mask, axis=1, stable=True)
