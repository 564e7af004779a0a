"""Norms: in forms that are fast, with PyTorch's numbers, or that start on data."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.errors import InputError
from vq_jax.models.layers.torch_conv import torch_conv

BATCH_STATS = "batch_stats"


def _normal_around_one(key, shape, dtype=jnp.float32):
    return 1.0 + 0.02 * jax.random.normal(key, shape, dtype)


class GroupNorm(nn.Module):
    """Group normalisation (1803.08494), the same numbers as `nn.GroupNorm`, PyTorch's.

    Mean and variance are those of each channel, averaged over its group: the groups
    never become an axis of the image, whose last axis would then be as short as one
    channel. The variance takes a second pass, since E[x²] - E[x]² loses its digits
    where the mean is large.

    Attributes:
        num_groups: they divide the channels.
        epsilon: added to the variance.
        dtype: of the output; all of it is computed in float32, for each image.

    Raises:
        InputError: the groups do not divide the channels.
    """

    num_groups: int
    epsilon: float
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        dim = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (dim,))
        bias = self.param("bias", nn.initializers.zeros, (dim,))
        centred, inverse = _standardised(x, self.num_groups, self.epsilon)
        return (centred * (inverse * _row(scale)) + _row(bias)).astype(self.dtype)


class AdaptiveGroupNorm(nn.Module):
    """Group normalisation with scale and bias from the codes, as in Open-MAGVIT2.

    Each image's scale is a linear map of its codes' standard deviations over the grid
    (n - 1, plus 1e-6 under the root), and its bias one of their means; ε is 1e-6.

    Attributes:
        num_groups: they divide the channels of x.
        dtype: of the output; all of it is computed in float32.

    Raises:
        InputError: the groups do not divide the channels, or the grid is one code,
            which has no deviation.
    """

    num_groups: int
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], z_q: Float[Array, "b hq wq d"]
    ) -> Float[Array, "b h w c"]:
        code_dim, dim = z_q.shape[-1], x.shape[-1]
        if z_q.shape[1:3] == (1, 1):
            raise InputError(
                "config.model.decoder.adaptive_norm=True needs more than one code an "
                "image, whose deviation it takes; use larger images."
            )
        z_q = z_q.astype(jnp.float32)
        variance = jnp.var(z_q, axis=(1, 2), keepdims=True, ddof=1)
        mean = jnp.mean(z_q, axis=(1, 2), keepdims=True)
        scale = torch_conv(code_dim, dim, 1, name="gamma")(jnp.sqrt(variance + 1e-6))
        bias = torch_conv(code_dim, dim, 1, name="beta")(mean)
        centred, inverse = _standardised(x, self.num_groups, 1e-6)
        return (centred * inverse * scale + bias).astype(self.dtype)


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


def _standardised(x, num_groups: int, epsilon: float):
    """x - mean, and 1 / √(variance + ε) as [b, 1, 1, c]; float32, by groups."""
    dim = x.shape[-1]
    if num_groups < 1 or dim % num_groups:
        raise InputError(
            f"{dim} channels do not divide into num_groups={num_groups} of a norm; "
            "make base_dim of that part of the model a multiple of its groups, or, in "
            "config.model.encoder and decoder, choose num_groups."
        )

    def group_mean(x):
        by_group = jnp.mean(x, axis=(1, 2)).reshape(len(x), num_groups, -1)
        means = jnp.mean(by_group, axis=-1)
        return jnp.repeat(means, dim // num_groups, axis=1)[:, None, None]

    x = x.astype(jnp.float32)
    centred = x - group_mean(x)
    return centred, jax.lax.rsqrt(group_mean(jnp.square(centred)) + epsilon)


def _row(vector):
    return vector.reshape(1, 1, 1, -1)


def _normalise(x, mean, var, epsilon):
    return (x - _row(mean)) * jax.lax.rsqrt(_row(var) + epsilon)
