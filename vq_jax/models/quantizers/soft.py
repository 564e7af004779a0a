"""Soft quantisation: in training, averages of the codes weighted by their nearness."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.annealed import AnnealedQuantizer
from vq_jax.ops import codebook, distances


class SoftQuantizer(AnnealedQuantizer):
    """A weighted average of all codes in training, the nearest code in evaluation.

    In training z_q = Σ softmax(-‖z_e - e‖² / τ) e (Agustsson et al. 1704.00648, eq. 3).
    Its gradients reach `z_e` and all codes, so no other loss is needed. As τ falls, the
    average approaches the nearest code. The metric `commitment`, mean (z_e - sg[e])²
    with e the nearest code, shows how far `z_e` still is from the codes, and
    `commitment_weight` moves the encoder towards them.

    Attributes:
        commitment_weight: weight of the commitment; 0, as in the paper, has no loss.
    """

    commitment_weight: ranges.Weight = 0.0

    hard_in_training = False

    @property
    def passes_gradient(self) -> bool:
        return False

    def setup(self):
        super().setup()

        def initial(key):
            shape = (self.codebook_size, self.code_dim)
            return jax.random.normal(key, shape)

        self.param("codes", initial)

    def _codes(self) -> Float[Array, "k d"]:
        return self.get_variable("params", "codes")

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        z, codes = z_e.astype(jnp.float32), self._codes()
        indices = distances.nearest_code(z, codes)
        z_q = codes[indices]
        commitment = jnp.mean((z - lax.stop_gradient(z_q)) ** 2)
        if train:
            flat = z.reshape(-1, self.code_dim)
            logits = -distances.squared_distances(flat, codes)
            probs = jax.nn.softmax(logits / self.current_temperature())
            z_q = (probs @ codes).reshape(z.shape)
        return base.QuantizerOutput(
            z_q=z_q.astype(self.dtype),
            indices=indices,
            loss=self.commitment_weight * commitment,
            metrics={
                "commitment": commitment,
                "temperature": self.current_temperature(),
            },
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> base.Latents:
        return self._codes()[indices].astype(self.dtype)

    needs_data_init = True

    def init_from_data(self, z_e: base.Latents) -> None:
        rows = lax.stop_gradient(z_e).astype(jnp.float32).reshape(-1, self.code_dim)
        key = self.make_rng("codebook")
        codes = codebook.sample_vectors(rows, self.codebook_size, key)
        self.put_variable("params", "codes", codes)
