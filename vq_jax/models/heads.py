"""Heads: from the encoder's features to the latents that are quantised."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Float

from vq_jax.errors import InputError
from vq_jax.ops import gaussian
from vq_jax.typing import Leaf

Features = Float[Array, "b hq wq hidden"]


@struct.dataclass
class HeadOutput:
    """What every head returns."""

    z_e: Leaf  # [b, hq, wq, d]
    kl: Leaf  # float32 [b]: KL from N(0, 1), summed over latents, nats per image; or 0


class Head(nn.Module):
    """Base class of all heads, which are called as `head(features, train=…)`.

    Attributes:
        code_dim: channels of `z_e`.
        dtype: dtype of the convolution, if there is one, and of `z_e`.
    """

    code_dim: int
    dtype: str = "float32"


class DeterministicHead(Head):
    """A 1x1 convolution from the features to latents of `code_dim` channels."""

    @nn.compact
    def __call__(self, features: Features, *, train: bool) -> HeadOutput:
        z_e = nn.Conv(self.code_dim, (1, 1), dtype=self.dtype)(features)
        return HeadOutput(z_e, jnp.zeros(z_e.shape[0]))


class IdentityHead(Head):
    """Takes the features, of `code_dim` channels, as MaskGIT and MAGVIT-v2 do."""

    @nn.compact
    def __call__(self, features: Features, *, train: bool) -> HeadOutput:
        if features.shape[-1] != self.code_dim:
            raise InputError(
                f"config.model.head.name='identity' passes {features.shape[-1]} "
                f"features on, but codes have {self.code_dim} channels; set "
                "features_dim of config.model.encoder to that, or choose head "
                "'deterministic'."
            )
        return HeadOutput(features.astype(self.dtype), jnp.zeros(len(features)))


class GaussianHead(Head):
    """The Gaussian posterior of a VAE (1312.6114v11, eq. 10).

    z_e = μ + σε in training and μ in evaluation; the noise ε is drawn from the random
    stream "posterior", and added before quantisation. The log variance is clipped to
    [-30, 20], where σ and the KL term, always float32, are finite.
    """

    @nn.compact
    def __call__(self, features: Features, *, train: bool) -> HeadOutput:
        moments = nn.Conv(2 * self.code_dim, (1, 1), dtype=self.dtype)(features)
        mean, log_variance = jnp.split(moments.astype(jnp.float32), 2, axis=-1)
        log_variance = jnp.clip(log_variance, -30.0, 20.0)
        kl = gaussian.kl_to_standard_normal(mean, log_variance)
        if not train:
            return HeadOutput(mean.astype(self.dtype), kl)
        noise = jax.random.normal(self.make_rng("posterior"), mean.shape)
        z_e = gaussian.reparameterise(mean, log_variance, noise)
        return HeadOutput(z_e.astype(self.dtype), kl)
