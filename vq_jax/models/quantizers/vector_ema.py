"""Vector quantisation with a codebook learnt by exponential moving averages."""

from typing import Literal

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.vector import uniform_codes
from vq_jax.ops import code_usage, codebook, distances, estimators


class EmaVectorQuantizer(base.Quantizer):
    """Nearest code, codes as averages of their vectors (VQ-VAE 1711.00937v2, app. A.1).

    loss = commitment_weight · mean (z_e - sg[e])², the mean over all elements, channels
    included: there is no codebook loss. `z_q` passes its gradient to `z_e` straight
    through, and is always a code from before this batch's update.

    Attributes:
        codebook_size: number of codes, K.
        code_dim: dimension of a code, D; `z_e` must have as many channels.
        commitment_weight: β of the paper.
        decay: γ of the averages, per step; 0.99 in the paper.
        codebook_init: "data" starts on vectors of the first batch, "uniform" at U(-1/K,
            1/K).
        restart_threshold: a code whose averaged count is below this fraction of the
            mean count moves to a vector of the current batch; 0 never moves one.
    """

    codebook_size: int = 512
    code_dim: int = 64
    commitment_weight: float = 0.25
    decay: float = 0.99
    codebook_init: Literal["uniform", "data"] = "data"
    restart_threshold: float = 0.1

    def setup(self):
        base.check_range("codebook_size", self.codebook_size, 1)
        base.check_range("commitment_weight", self.commitment_weight, 0.0)
        base.check_range("decay", self.decay, 0.0, 1.0)
        base.check_range("restart_threshold", self.restart_threshold, 0.0, 1.0)

        def initial():
            shape = (self.codebook_size, self.code_dim)
            return codebook.new_codebook(uniform_codes(self.make_rng("params"), shape))

        self.state = self.variable(base.STATE, "state", initial)

    def __call__(
        self, z_e: Float[Array, "b hq wq d"], *, train: bool
    ) -> base.QuantizerOutput:
        codes = self.state.value.codes
        indices = distances.nearest_code(z_e, codes)
        if train:
            self._record(z_e, indices)
        z_e = z_e.astype(jnp.float32)
        z_q = lax.stop_gradient(codes)[indices]
        commitment = jnp.mean((z_e - z_q) ** 2)
        return base.QuantizerOutput(
            z_q=estimators.straight_through(z_e, z_q).astype(self.dtype),
            indices=indices,
            loss=self.commitment_weight * commitment,
            metrics={
                "commitment": commitment,
                **code_usage.summary(indices, self.codebook_size),
            },
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> Float[Array, "b hq wq d"]:
        return self.state.value.codes[indices].astype(self.dtype)

    @property
    def starts_from_data(self) -> bool:
        return self.codebook_init == "data"

    def start(self, z_e: Float[Array, "b hq wq d"]) -> None:
        self.state.value = codebook.new_codebook(self._draw(z_e))

    def update(self) -> None:
        statistics = self.get_variable(base.STATISTICS, "batch")
        state = codebook.ema_update(self.state.value, statistics, self.decay)
        if self.restart_threshold > 0:
            candidates = self.get_variable(base.CANDIDATES, "vectors")
            state = codebook.restart_dead_codes(
                state, candidates, self.restart_threshold
            )
        self.state.value = state

    def _record(self, z_e, indices) -> None:
        statistics = codebook.code_statistics(
            z_e.reshape(-1, self.code_dim), indices.ravel(), self.codebook_size
        )
        self.replace_last(base.STATISTICS, batch=statistics)
        if self.restart_threshold > 0:
            self.replace_last(base.CANDIDATES, vectors=self._draw(z_e))

    def _draw(self, z_e) -> Float[Array, "k d"]:
        vectors = lax.stop_gradient(z_e).reshape(-1, self.code_dim)
        key = self.make_rng("codebook")
        return codebook.sample_vectors(vectors, self.codebook_size, key)
