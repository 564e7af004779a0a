"""SimVQ: the codes are a learnt linear map of a fixed random codebook."""

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.nearest import NearestCodeQuantizer
from vq_jax.models.quantizers.vector import two_sided_loss


class SimVectorQuantizer(NearestCodeQuantizer):
    """Codes C·W with fixed C and learnt W, so each step moves all codes (2411.02038).

    SimVQ, eq. 5. C is drawn from N(0, 1/D) and part of the state; W [D, D] is a
    parameter. The loss is that of `VectorQuantizer`, whose codebook term trains W.
    There are no restarts.

    Attributes:
        codebook_weight: weight of the codebook loss.
        commitment_weight: β.
        use_bias: whether the map has a bias: C·W + b, as in the authors' code, whose
            weights need it.
    """

    codebook_weight: ranges.Weight = 1.0
    commitment_weight: ranges.Weight = 0.25
    use_bias: bool = False

    def setup(self):
        super().setup()
        shape = (self.codebook_size, self.code_dim)

        def frozen():
            noise = jax.random.normal(self.make_rng("params"), shape)
            return noise * self.code_dim**-0.5

        self.frozen = self.variable(base.STATE, "codes", frozen)
        self.transform = nn.Dense(
            self.code_dim, use_bias=self.use_bias, dtype="float32"
        )

    def stored_codes(self) -> Float[Array, "k d"]:
        return self.transform(jax.lax.stop_gradient(self.frozen.value))

    def own_losses(self, z, codes):
        return two_sided_loss(z, codes, self.codebook_weight, self.commitment_weight)
