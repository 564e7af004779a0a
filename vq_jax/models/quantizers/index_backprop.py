"""Index backpropagation quantisation (IBQ): every step trains all codes."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Int

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.ops import entropy


class IndexBackpropagationQuantizer(base.Quantizer):
    """Chooses codes by dot product, with gradients through a softmax (IBQ 2412.02692).

    i = argmax z_e·E. The value of z_q is code i. Its gradient with respect to the
    logits z_e·E, and so to z_e and to all codes, is that of softmax(z_e·E) E; the
    chosen code also gets the gradient of z_q itself. loss = mean (z_q - z_e)² + mean
    (sg[e] - z_e)² + commitment_weight · mean (e - sg[z_e])² + entropy_weight · (mean
    H(p) - H(mean p)), where z_q in the first term has the gradient above. The logits of
    all vectors, an n x K array, are held at once, as the method requires.

    Attributes:
        codebook_size: number of codes, K.
        code_dim: dimension of a code, D; `z_e` must have as many channels.
        commitment_weight: β, which multiplies the codes' term as in the released code.
        entropy_weight: weight of the entropy term; 0 does not compute it.
        entropy_temperature: τ of p = softmax(logits / τ) in the entropy term.
    """

    codebook_size: ranges.CodebookSize = 512
    code_dim: ranges.Width = 64
    commitment_weight: ranges.Weight = 0.25
    entropy_weight: ranges.Weight = 0.05
    entropy_temperature: ranges.Positive = 0.01

    hard_in_training = True
    learns_from_z_q = True

    def setup(self):
        super().setup()
        shape = (self.codebook_size, self.code_dim)
        init = nn.initializers.normal(self.code_dim**-0.5)
        self.codes = self.param("codes", init, shape, jnp.float32)

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        z = z_e.astype(jnp.float32)
        logits = self._logits(z)
        indices = jnp.argmax(logits, axis=-1).astype(jnp.int32)
        chosen = self.codes[indices]
        soft = jax.nn.softmax(logits) @ lax.stop_gradient(self.codes)
        z_q = chosen + (soft - lax.stop_gradient(soft))
        both = jnp.mean((z_q - z) ** 2)
        commitment = jnp.mean((lax.stop_gradient(chosen) - z) ** 2)
        codebook = jnp.mean((chosen - lax.stop_gradient(z)) ** 2)
        loss = both + commitment + self.commitment_weight * codebook
        penalty, entropies = self._entropy(z.reshape(-1, self.code_dim))
        return base.QuantizerOutput(
            z_q=z_q.astype(self.dtype),
            indices=indices,
            loss=loss + penalty,
            metrics={"commitment": commitment, **entropies},
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> base.Latents:
        return self.codes[indices].astype(self.dtype)

    def _logits(self, z):
        return jnp.matmul(z, self.codes.T, precision=lax.Precision.HIGHEST)

    def _entropy(self, z):
        if not self.entropy_weight:
            return jnp.zeros(()), {}

        def logits_fn(rows):
            return self._logits(rows) / self.entropy_temperature

        sample, mean = entropy.assignment_entropies(logits_fn, z, self.codebook_size)
        metrics = {"sample_entropy": sample, "codebook_entropy": mean}
        return self.entropy_weight * (sample - mean), metrics
