"""Clustered vector quantisation (CVQ): unused codes move to vectors of the batch."""

from typing import Annotated, Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.vector import TrainedCodesQuantizer
from vq_jax.ops import codebook


class ClusteredVectorQuantizer(TrainedCodesQuantizer):
    """Vector quantisation that moves little used codes to vectors of the batch.

    CVQ-VAE (2307.15139): after each step e ← (1-α) e + α · anchor, where α is near 1
    for unused codes and near 0 for others (eq. 4-6, `codebook.move_to_anchors`). The
    loss is that of `VectorQuantizer`; CVQ's contrastive loss is not offered. The
    averaged shares of use are 0 at first, as in the released code, so the first step
    moves all codes.

    Attributes:
        anchor: a code's anchor: "closest" is the vector of the batch nearest to the
            code, "random" any vector of the batch.
    """

    anchor: Literal["closest", "random"] = "closest"
    # Anchors replace restarts in this family, and `update` divides by 1 - decay.
    restart_threshold: Annotated[float, ranges.Range(0.0, 0.0)] = 0.0
    decay: ranges.Decay = 0.99

    def setup(self):
        super().setup()
        self.probs = self.variable(base.STATE, "probs", jnp.zeros, self.codebook_size)

    def save_for_update(self, z: Float[Array, "n d"], indices: Int[Array, "n"]) -> None:
        super().save_for_update(z, indices)
        z = lax.stop_gradient(z)
        if self.anchor == "closest":
            anchors = z[self.nearest(self.codes(), z)]
        else:
            key = self.make_rng("codebook")
            anchors = codebook.sample_vectors(z, self.codebook_size, key)
        self.replace_candidates(anchors=anchors)

    def update(self) -> None:
        """Moves codes towards their anchors, the more the less they are used."""
        counts = self.get_variable(base.STATISTICS, "batch").counts
        share = counts / jnp.sum(counts)
        probs = self.decay * self.probs.value + (1.0 - self.decay) * share
        anchors = self.get_variable(base.CANDIDATES, "anchors")
        moved = codebook.move_to_anchors(
            self.stored_codes(), probs, anchors, self.decay
        )
        self.put_variable("params", "codes", moved)
        self.probs.value = probs
