"""Gumbel-softmax: mixtures of codes that approximate samples of a categorical."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Int

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.annealed import AnnealedQuantizer


class GumbelQuantizer(AnnealedQuantizer):
    """Draws a relaxed sample of q(code | z_e) in training (DALL-E 2102.12092, sec. 2).

    A linear map of `z_e` gives the logits of q. In training y = softmax((logits +
    Gumbel noise) / τ) and z_q = y·E, a mixture of codes; with `hard_in_forward` the
    value is the code of the largest y, and the gradient that of the mixture. Indices
    are those of the largest noisy logit. In evaluation z_q is the code of the largest
    logit, without noise. loss = kl_weight · mean over positions of Σ q log(qK), the KL
    divergence from the uniform distribution in nats.

    Attributes:
        kl_weight: weight of the KL term; 5e-4 in VQGAN's released code, where the term
            is summed over codes and averaged over positions, as here.
        hard_in_forward: whether a training pass uses a code and not a mixture.
    """

    kl_weight: ranges.Weight = 5e-4
    hard_in_forward: bool = False

    @property
    def hard_in_training(self) -> bool:
        return self.hard_in_forward

    @property
    def passes_gradient(self) -> bool:
        return False

    def setup(self):
        super().setup()
        shape = (self.codebook_size, self.code_dim)
        init = nn.initializers.normal(1.0)  # as torch's Embedding
        self.codes = self.param("codes", init, shape, jnp.float32)
        self.logits = nn.Dense(self.codebook_size, dtype="float32")

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        logits = self.logits(z_e.astype(jnp.float32))
        log_q = jax.nn.log_softmax(logits)
        kl = jnp.sum(jnp.exp(log_q) * (log_q + jnp.log(self.codebook_size)), axis=-1)
        if train:
            key = self.make_rng("codebook")
            z_q, indices = self._relaxed(logits, jax.random.gumbel(key, logits.shape))
        else:
            indices = jnp.argmax(logits, axis=-1).astype(jnp.int32)
            z_q = self.codes[indices]
        return base.QuantizerOutput(
            z_q=z_q.astype(self.dtype),
            indices=indices,
            loss=self.kl_weight * jnp.mean(kl),
            metrics={
                "code_kl": jnp.mean(kl),
                "temperature": self.current_temperature(),
            },
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> base.Latents:
        return self.codes[indices].astype(self.dtype)

    def _relaxed(self, logits, noise):
        probs = jax.nn.softmax((logits + noise) / self.current_temperature())
        indices = jnp.argmax(probs, axis=-1).astype(jnp.int32)
        if not self.hard_in_forward:
            return probs @ self.codes, indices
        # Gradients are those of onehot·E: to the chosen code, and to y from all codes.
        soft = probs @ lax.stop_gradient(self.codes)
        return self.codes[indices] + (soft - lax.stop_gradient(soft)), indices
