"""Clustered vector quantisation (CVQ): unused codes move to vectors of the batch."""

from typing import Annotated, Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.nearest import RestartingQuantizer
from vq_jax.models.quantizers.vector import two_sided_loss
from vq_jax.ops import codebook, distances


class ClusteredVectorQuantizer(RestartingQuantizer):
    """Vector quantisation that moves little used codes to vectors of the batch.

    CVQ-VAE (2307.15139): after each step e ← (1-α) e + α · anchor, where α is near 1
    for unused codes and near 0 for others (eq. 4-6, `codebook.move_to_anchors`). The
    loss is that of `VectorQuantizer`; CVQ's contrastive loss is not offered. The
    averaged shares of use are 0 at first, as in the released code, so the first step
    moves all codes.

    Attributes:
        codebook_weight: weight of the codebook loss.
        commitment_weight: β.
        anchor: a code's anchor: "closest" is the vector of the batch nearest to the
            code, "random" any vector of the batch.
    """

    codebook_weight: base.Weight = 1.0
    commitment_weight: base.Weight = 0.25
    anchor: Literal["closest", "random"] = "closest"
    codebook_init: Literal["uniform", "data", "kmeans"] = "uniform"
    # Anchors replace restarts in this family, and `update` divides by 1 - decay.
    restart_threshold: Annotated[float, base.Range(0.0, 0.0)] = 0.0
    decay: Annotated[float, base.Range(0.0, 0.999_999)] = 0.99

    def setup(self):
        super().setup()
        self.param("codes", self.uniform_codes)
        self.probs = self.variable(base.STATE, "probs", jnp.zeros, self.codebook_size)

    def stored_codes(self) -> Float[Array, "k d"]:
        return self.get_variable("params", "codes")

    def own_losses(self, z, codes):
        return two_sided_loss(z, codes, self.codebook_weight, self.commitment_weight)

    def save_for_update(self, z: Float[Array, "n d"], indices: Int[Array, "n"]) -> None:
        super().save_for_update(z, indices)
        z = lax.stop_gradient(z)
        if self.anchor == "closest":
            anchors = z[distances.nearest_code(self.codes(), z)]
        else:
            key = self.make_rng("codebook")
            anchors = codebook.sample_vectors(z, self.codebook_size, key)
        self.replace_candidates(anchors=anchors)

    def init_from_data(self, z_e: base.Latents) -> None:
        self.put_variable("params", "codes", self.codes_from(z_e))

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
