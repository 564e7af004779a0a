"""Vector quantisation with a codebook learnt by gradients, as in VQ-VAE and VQGAN."""

from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.nearest import RestartingQuantizer
from vq_jax.ops import codebook


class TrainedCodesQuantizer(RestartingQuantizer):
    """A search among codes that are parameters, with the loss of VQ-VAE.

    Attributes:
        codebook_weight: weight of the codebook loss, 1 in the paper.
        commitment_weight: β of the paper.
    """

    codebook_weight: ranges.Weight = 1.0
    commitment_weight: ranges.Weight = 0.25
    codebook_init: Literal["uniform", "fan_in", "data", "kmeans"] = "uniform"
    restart_threshold: ranges.Fraction = 0.0

    def setup(self):
        super().setup()
        self.param("codes", self.random_codes)

    def stored_codes(self) -> Float[Array, "k d"]:
        # Read again, since `init_from_data` may have replaced the value of `setup`.
        return self.get_variable("params", "codes")

    def own_losses(self, z, codes):
        return two_sided_loss(z, codes, self.codebook_weight, self.commitment_weight)

    def init_from_data(self, z_e: base.Latents) -> None:
        self.put_variable("params", "codes", self.codes_from(z_e))


class VectorQuantizer(TrainedCodesQuantizer):
    """Replaces each vector of `z_e` by the nearest code (VQ-VAE 1711.00937v2, eq. 3).

    loss = codebook_weight · mean (sg[z_e] - e)² + commitment_weight · mean (z_e -
    sg[e])², means over all elements, channels included. The first term moves the codes
    only, the second the encoder only. The gradient of `z_q` reaches `z_e` as
    `estimator` says.

    Attributes:
        beta_mode: "paper" has the loss above. With "taming_legacy" β multiplies the
            other term, as in VQGAN's released code by default: the codes' term then has
            weight codebook_weight · commitment_weight and the encoder's term
            codebook_weight.
    """

    beta_mode: Literal["paper", "taming_legacy"] = "paper"

    def setup(self):
        super().setup()
        if self.restart_threshold > 0:
            self.counts = self.variable(
                base.STATE, "counts", jnp.ones, self.codebook_size
            )

    def own_losses(self, z, codes):
        return two_sided_loss(
            z, codes, self.codebook_weight, self.commitment_weight, self.beta_mode
        )

    def save_for_update(self, z: Float[Array, "n d"], indices: Int[Array, "n"]) -> None:
        if self.restart_threshold > 0:
            super().save_for_update(z, indices)

    def update(self) -> None:
        """Updates the averaged counts and restarts dead codes, if that is asked for."""
        if self.restart_threshold == 0:
            return
        batch = self.get_variable(base.STATISTICS, "batch")
        counts = self.decay * self.counts.value + (1.0 - self.decay) * batch.counts
        codes = self.stored_codes()
        state = codebook.CodebookState(codes, counts, codes * counts[:, None])
        state = self.restarted(state)
        self.put_variable("params", "codes", state.codes)
        self.counts.value = state.counts


def two_sided_loss(
    z: Float[Array, "*n d"],
    codes: Float[Array, "*n d"],
    codebook_weight: float,
    commitment_weight: float,
    beta_mode: Literal["paper", "taming_legacy"] = "paper",
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Weighted sum of codebook loss and commitment loss, and both unweighted.

    The codebook loss moves `codes`, the commitment `z`; see `VectorQuantizer`.
    """
    codebook_loss = jnp.mean((lax.stop_gradient(z) - codes) ** 2)
    commitment = jnp.mean((z - lax.stop_gradient(codes)) ** 2)
    if beta_mode == "taming_legacy":
        loss = codebook_weight * (commitment + commitment_weight * codebook_loss)
    else:
        loss = codebook_weight * codebook_loss + commitment_weight * commitment
    return loss, {"codebook": codebook_loss, "commitment": commitment}
