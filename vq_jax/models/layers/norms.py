"""Normalisation layers: group norms, BatchNorm, ActNorm; values as in PyTorch."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from vq_jax.errors import InputError
from vq_jax.models.layers.torch_conv import torch_conv
from vq_jax.ops.group_norm import group_norm

BATCH_STATS = "batch_stats"


def _normal_around_one(key, shape, dtype=jnp.float32):
    return 1.0 + 0.02 * jax.random.normal(key, shape, dtype)


class GroupNorm(nn.Module):
    """Group normalisation (1803.08494), with the same values as Flax's and PyTorch's.

    The arithmetic, and a gradient of its own, are `ops/group_norm.py`'s.

    Attributes:
        num_groups: number of groups, which divides the number of channels.
        epsilon: ε, added to the variance.
        dtype: dtype of the result; the computation is float32.

    Raises:
        InputError: the groups do not divide the channels.
    """

    num_groups: int
    epsilon: float
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], shift: Float[Array, "c"] | None = None
    ) -> Float[Array, "b h w c"]:
        """Normalises x + shift; `shift` is 0 by default."""
        channels = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        each = (len(x), channels)
        scale, bias = (jnp.broadcast_to(row, each) for row in (scale, bias))
        if shift is not None:
            shift = jnp.broadcast_to(shift, each)
        options = {"epsilon": self.epsilon, "dtype": self.dtype}
        _check_groups(channels, self.num_groups)
        return group_norm(
            x, scale, bias, shift=shift, num_groups=self.num_groups, **options
        )


class AdaptiveGroupNorm(nn.Module):
    """Group normalisation whose scale and bias follow from `z_q`, as in Open-MAGVIT2.

    The scale of an image is a linear map of the standard deviations of `z_q` over the
    grid (unbiased, n - 1, with 1e-6 under the root), its bias a linear map of the
    means; ε is 1e-6.

    Attributes:
        num_groups: number of groups, which divides the number of channels of x.
        dtype: dtype of the result; the computation is float32.

    Raises:
        InputError: the groups do not divide the channels, or the grid has one position
            only, and so no deviation.
    """

    num_groups: int
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], z_q: Float[Array, "b hq wq d"]
    ) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        if z_q.shape[1:3] == (1, 1):
            raise InputError(
                "config.model.decoder.adaptive_norm=True needs more than one code an "
                "image, whose deviation it takes; use larger images."
            )
        z_q = z_q.astype(jnp.float32)
        variance = jnp.var(z_q, axis=(1, 2), keepdims=True, ddof=1)
        mean = jnp.mean(z_q, axis=(1, 2), keepdims=True)
        deviation = jnp.sqrt(variance + 1e-6)
        scale = torch_conv(deviation, channels, 1, name="gamma")[:, 0, 0]
        bias = torch_conv(mean, channels, 1, name="beta")[:, 0, 0]
        _check_groups(channels, self.num_groups)
        options = {"epsilon": 1e-6, "dtype": self.dtype}
        return group_norm(x, scale, bias, num_groups=self.num_groups, **options)


class BatchNorm(nn.Module):
    """Batch normalisation with PyTorch's values, float32.

    ε is 1e-5 and the momentum of the running statistics 0.1. A training pass normalises
    by the biased variance of the global batch, and averages the unbiased one (n - 1).
    The scale is initialised from N(1, 0.02), as in VQGAN's discriminator.
    """

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        scale = self.param("scale", _normal_around_one, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        mean = self.variable(BATCH_STATS, "mean", jnp.zeros, (channels,))
        var = self.variable(BATCH_STATS, "var", jnp.ones, (channels,))
        centre, spread = mean.value, var.value
        if train:
            centre, spread = jnp.mean(x, axis=(0, 1, 2)), jnp.var(x, axis=(0, 1, 2))
            count = x.size // channels
            if not self.is_initializing() and self.is_mutable_collection(BATCH_STATS):
                unbiased = spread * (count / max(count - 1, 1))
                mean.value = 0.9 * mean.value + 0.1 * centre
                var.value = 0.9 * var.value + 0.1 * unbiased
        y = (x - _row(centre)) * jax.lax.rsqrt(_row(spread) + 1e-5)
        return y * _row(scale) + _row(bias)


class ActNorm(nn.Module):
    """A learnt map scale · (x + loc), initialised from data (Glow 1807.03039, 3.1).

    A call with `init_from_data` first sets both parameters, which have to be mutable,
    so that the batch gets mean 0 and deviation 1 in each channel. The deviation is the
    unbiased one plus 1e-6.
    """

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], *, init_from_data: bool
    ) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        loc = self.param("loc", nn.initializers.zeros, (channels,))
        scale = self.param("scale", nn.initializers.ones, (channels,))
        if init_from_data:
            loc = -jnp.mean(x, axis=(0, 1, 2))
            scale = 1.0 / (jnp.std(x, axis=(0, 1, 2), ddof=1) + 1e-6)
            self.put_variable("params", "loc", loc)
            self.put_variable("params", "scale", scale)
        return _row(scale) * (x + _row(loc))


def _check_groups(channels: int, num_groups: int) -> None:
    if num_groups < 1 or channels % num_groups:
        raise InputError(
            f"{channels} channels do not divide into num_groups={num_groups} of a "
            "norm; make base_dim of that part of the model a multiple of its groups, "
            "or, in config.model.encoder and decoder, choose num_groups."
        )


def _row(vector):
    return vector.reshape(1, 1, 1, -1)
