"""Vector quantisation with a codebook learnt by gradient."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.models.quantizers import base
from vq_jax.ops import code_usage, codebook, distances, estimators


def uniform_codes(key, shape) -> Float[Array, "k d"]:
    """U(-1/K, 1/K), the customary start of VQ-VAE and VQGAN code."""
    bound = 1.0 / shape[0]
    return jax.random.uniform(key, shape, jnp.float32, -bound, bound)


class VectorQuantizer(base.Quantizer):
    """Nearest code, with a codebook and a commitment loss (VQ-VAE 1711.00937v2, eq. 3).

    loss = codebook_weight · mean (sg[z_e] - e)² + commitment_weight · mean (z_e -
    sg[e])², means over all elements, channels included. The first moves codes only, the
    second the encoder only; `z_q` passes its gradient to `z_e` straight through.

    Attributes:
        codebook_size: number of codes, K.
        code_dim: dimension of a code, D; `z_e` must have as many channels.
        codebook_weight: weight of the codebook loss, 1 in the paper.
        commitment_weight: β of the paper.
        codebook_init: "uniform" starts at U(-1/K, 1/K); "data" on vectors of the first
            batch.
    """

    codebook_size: int = 512
    code_dim: int = 64
    codebook_weight: float = 1.0
    commitment_weight: float = 0.25
    codebook_init: Literal["uniform", "data"] = "uniform"

    def setup(self):
        base.check_range("codebook_size", self.codebook_size, 1)
        base.check_range("commitment_weight", self.commitment_weight, 0.0)
        base.check_range("codebook_weight", self.codebook_weight, 0.0)
        shape = (self.codebook_size, self.code_dim)
        self.codes = self.param("codes", uniform_codes, shape)

    def __call__(
        self, z_e: Float[Array, "b hq wq d"], *, train: bool
    ) -> base.QuantizerOutput:
        indices = distances.nearest_code(z_e, self.codes)
        codes = self.codes[indices]
        z_e = z_e.astype(jnp.float32)
        codebook_loss = jnp.mean((lax.stop_gradient(z_e) - codes) ** 2)
        commitment = jnp.mean((z_e - lax.stop_gradient(codes)) ** 2)
        return base.QuantizerOutput(
            z_q=estimators.straight_through(z_e, codes).astype(self.dtype),
            indices=indices,
            loss=self.codebook_weight * codebook_loss
            + self.commitment_weight * commitment,
            metrics={
                "codebook": codebook_loss,
                "commitment": commitment,
                **code_usage.summary(indices, self.codebook_size),
            },
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> Float[Array, "b hq wq d"]:
        return self.codes[indices].astype(self.dtype)

    @nn.nowrap
    def _draw(self, z_e, key):
        return codebook.sample_vectors(
            z_e.reshape(-1, self.code_dim), self.codebook_size, key
        )

    @property
    def starts_from_data(self) -> bool:
        return self.codebook_init == "data"

    def start(self, z_e: Float[Array, "b hq wq d"]) -> None:
        self.put_variable("params", "codes", self._draw(z_e, self.make_rng("codebook")))
