"""Vector quantisation with a codebook learnt by exponential moving averages (EMA)."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.errors import InputError
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.nearest import RestartingQuantizer
from vq_jax.ops import codebook


class EmaVectorQuantizer(RestartingQuantizer):
    """Replaces each vector of `z_e` by the nearest code; codes are moving averages.

    A code is the moving average of the vectors assigned to it (VQ-VAE 1711.00937v2,
    app. A.1). loss = commitment_weight · mean (z_e - sg[e])², the mean over all
    elements, channels included; there is no codebook loss. The gradient of `z_q`
    reaches `z_e` as `estimator` says. `z_q` has codes from before the batch's update.
    With the cosine distance the averages are of unit vectors.

    Attributes:
        commitment_weight: β of the paper.
    """

    commitment_weight: ranges.Weight = 0.25

    def setup(self):
        super().setup()
        if self.estimator == "diveq":
            raise InputError(
                "config.model.quantizer.estimator='diveq' learns codes by gradient, "
                "and 'vq_ema' by averages; use quantizer 'vq'."
            )

        def initial():
            return codebook.new_codebook(self.random_codes(self.make_rng("params")))

        self.state = self.variable(base.STATE, "state", initial)

    def stored_codes(self) -> Float[Array, "k d"]:
        return lax.stop_gradient(self.state.value.codes)

    def own_losses(self, z, codes):
        commitment = jnp.mean((z - codes) ** 2)
        return self.commitment_weight * commitment, {"commitment": commitment}

    def init_from_data(self, z_e: base.Latents) -> None:
        self.state.value = codebook.new_codebook(self.codes_from(z_e))

    def update(self) -> None:
        """Updates the averages and the codes, then restarts dead codes."""
        statistics = self.get_variable(base.STATISTICS, "batch")
        state = codebook.ema_update(self.state.value, statistics, self.decay)
        self.state.value = self.restarted(state)
