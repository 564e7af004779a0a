"""Norms of discriminators that PyTorch defines differently, or that start on data."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

BATCH_STATS = "batch_stats"


def _normal_around_one(key, shape, dtype=jnp.float32):
    return 1.0 + 0.02 * jax.random.normal(key, shape, dtype)


class BatchNorm(nn.Module):
    """Batch normalisation with PyTorch's numbers, float32.

    ε = 1e-5, running averages with momentum 0.1, the running variance unbiased (n - 1)
    where the batch is normalised by the biased one. Statistics are those of the global
    batch. The scale starts in N(1, 0.02), as VQGAN's discriminator has it.
    """

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        dim = x.shape[-1]
        scale = self.param("scale", _normal_around_one, (dim,))
        bias = self.param("bias", nn.initializers.zeros, (dim,))
        mean = self.variable(BATCH_STATS, "mean", jnp.zeros, (dim,))
        var = self.variable(BATCH_STATS, "var", jnp.ones, (dim,))
        if not train:
            y = _normalise(x, mean.value, var.value, 1e-5)
            return y * _row(scale) + _row(bias)
        batch_mean = jnp.mean(x, axis=(0, 1, 2))
        batch_var = jnp.var(x, axis=(0, 1, 2))
        count = x.size // dim
        if not self.is_initializing() and self.is_mutable_collection(BATCH_STATS):
            unbiased = batch_var * (count / max(count - 1, 1))
            mean.value = 0.9 * mean.value + 0.1 * batch_mean
            var.value = 0.9 * var.value + 0.1 * unbiased
        y = _normalise(x, batch_mean, batch_var, 1e-5)
        return y * _row(scale) + _row(bias)


class ActNorm(nn.Module):
    """scale · (x + loc), learnt, and placed by the first batch (Glow 1807.03039, 3.1).

    Applied with `start` and mutable parameters, it first sets them so that the batch
    has mean 0 and deviation 1 in each channel: deviation unbiased, plus 1e-6.
    """

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, start: bool
    ) -> Float[Array, "b h w c"]:
        dim = x.shape[-1]
        loc = self.param("loc", nn.initializers.zeros, (dim,))
        scale = self.param("scale", nn.initializers.ones, (dim,))
        if start:
            loc = -jnp.mean(x, axis=(0, 1, 2))
            scale = 1.0 / (jnp.std(x, axis=(0, 1, 2), ddof=1) + 1e-6)
            self.put_variable("params", "loc", loc)
            self.put_variable("params", "scale", scale)
        return _row(scale) * (x + _row(loc))


def _row(vector):
    return vector.reshape(1, 1, 1, -1)


def _normalise(x, mean, var, epsilon):
    return (x - _row(mean)) * jax.lax.rsqrt(_row(var) + epsilon)
