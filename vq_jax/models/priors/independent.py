"""Every code for itself: histograms by position, what any other prior has to beat."""

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from vq_jax.models.priors.base import NO_CLASS, Known, Prior, PriorOutput
from vq_jax.ops import cross_entropy
from vq_jax.ops.sampling import Sampling, draw, guided


class IndependentPrior(Prior):
    """Codes drawn independently, from a learnt histogram of each class and position.

    Its parameters are (num_classes + 1) · num_tokens · codebook_size logits, all 0 at
    first. Any known codes can be kept: they say nothing about the others.
    """

    keeps = "any"

    def setup(self):
        shape = (
            self.num_classes + 1,
            self.layout.num_tokens,
            self.layout.codebook_size,
        )
        self.logits = self.param("logits", nn.initializers.zeros, shape)

    def loss(self, codes, labels):
        labels = self.with_dropped_classes(labels)
        loss = jnp.mean(self.token_nats(codes, labels))
        return PriorOutput(loss=loss, metrics={})

    def token_nats(self, codes, labels):
        logits = self.logits[self.class_rows(labels)]
        nats = cross_entropy.token_nats(logits, self.layout.to_sequence(codes))
        return self.layout.from_sequence(nats)

    def sample(self, keys, labels, sampling: Sampling, known: Known | None = None):
        logits = self.logits[self.class_rows(labels)]
        if sampling.is_guided:
            scales = sampling.scales(self.layout.num_tokens)[None, :, None]
            none = self.class_rows(jnp.full_like(labels, NO_CLASS))
            logits = guided(logits, self.logits[none], scales)
        codes = self.layout.from_sequence(draw(keys, logits, sampling))
        return codes if known is None else jnp.where(known.mask, known.codes, codes)

    @property
    def coding_passes(self):
        return [np.arange(self.layout.num_tokens, dtype=np.int32)]

    def _sequence_logits(self, sequence, labels):
        return self.logits[self.class_rows(labels)]
