"""Group normalisation whose gradient takes one pass over sums, and keeps x as it is."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

ByChannel = Float[Array, "b c"]

STATISTICS = "norm_statistics"
"""Name of means and deviations, by which a policy of `jax.checkpoint` can keep them."""


def group_norm(
    x: Float[Array, "b h w c"],
    scale: ByChannel,
    bias: ByChannel,
    *,
    shift: ByChannel | None = None,
    num_groups: int,
    epsilon: float,
    dtype: str,
) -> Float[Array, "b h w c"]:
    """scale · (v - mean) / √(variance + ε) + bias, with v = x + shift, by groups.

    1803.08494, with groups of channels. The computation is float32. For the gradients,
    x is saved in its own dtype, and the two sums that they need are taken in one pass
    over x and the cotangent, where autodiff of the formula takes more and saves x -
    mean in float32. The gradient of the shift follows from the same sums, where that of
    a bias that was added before would take a pass of its own. Gradients can be
    differentiated again in reverse mode; there is no forward-mode derivative.

    Args:
        scale, bias: of each image, which an adaptive norm has different ones for.
        shift: likewise; the bias of the convolution that x comes from. 0 if None.
        num_groups: number of groups, which divides c.
        epsilon: ε, added to the variance.
        dtype: dtype of the result.
    """
    if shift is None:
        shift = jnp.zeros((len(x), x.shape[-1]))
    return _normed(x, shift, scale, bias, num_groups, epsilon, jnp.dtype(dtype))


@functools.partial(jax.custom_vjp, nondiff_argnums=(4, 5, 6))
def _normed(x, shift, scale, bias, num_groups, epsilon, dtype):
    return _forward(x, shift, scale, bias, num_groups, epsilon, dtype)[0]


def _forward(x, shift, scale, bias, num_groups, epsilon, dtype):
    of_channel, of_group, inverse = checkpoint_name(
        _statistics(x, shift, num_groups, epsilon), STATISTICS
    )
    centred = x.astype(jnp.float32) - _map(of_group - shift)
    y = centred * _map(inverse * scale) + _map(bias)
    return y.astype(dtype), (x, shift, scale, of_channel, of_group, inverse)


def _backward(num_groups, epsilon, dtype, saved, cotangent):
    # With v̂ = (v - mean) / √(variance + ε) and g = scale · cotangent, the gradient of v
    # is (g - E[g] - v̂ E[g v̂]) / √(variance + ε), where E is the mean over a group.
    del epsilon, dtype
    x, shift, scale, of_channel, of_group, inverse = saved
    wide, cotangent = x.astype(jnp.float32), cotangent.astype(jnp.float32)
    centred = wide - _map(of_group - shift)
    offset = of_channel - of_group
    bias_grad = jnp.sum(cotangent, axis=(1, 2))

    def about_group():
        return jnp.sum(cotangent * centred, axis=(1, 2))

    def about_channel():
        from_channel = wide - _map(of_channel - shift)
        return jnp.sum(cotangent * from_channel, axis=(1, 2)) + offset * bias_grad

    # On CPUs sums read maps from memory. Were it `centred`, XLA would take that of the
    # forward pass, and keep it until here; from the channel's mean it is another one.
    products = lax.platform_dependent(cpu=about_channel, default=about_group)
    scale_grad = inverse * products
    positions = x.shape[1] * x.shape[2]
    along_one = inverse * _group_mean(scale * bias_grad, num_groups) / positions
    along_x = _group_mean(scale * scale_grad, num_groups) / positions
    along_x *= jnp.square(inverse)
    x_grad = (
        cotangent * _map(inverse * scale) - centred * _map(along_x) - _map(along_one)
    )
    # The sum of x_grad over positions, that of `centred` being `positions` times its
    # mean.
    shift_grad = inverse * scale * bias_grad - positions * (
        offset * along_x + along_one
    )
    return x_grad.astype(x.dtype), shift_grad, scale_grad, bias_grad


_normed.defvjp(_forward, _backward)


def _statistics(
    x, shift, num_groups: int, epsilon: float
) -> tuple[ByChannel, ByChannel, ByChannel]:
    """Of x + shift: means of the channel and its group, and 1 / √(variance + ε)."""
    if x.dtype == jnp.bfloat16:
        mean, variance = lax.platform_dependent(
            x, tpu=moments_by_row, default=moments_after_shift
        )
    else:
        mean, variance = moments_after_shift(x)
    mean = mean + shift
    of_group = _group_mean(mean, num_groups)
    variance = _group_mean(variance + jnp.square(mean - of_group), num_groups)
    return mean, of_group, lax.rsqrt(variance + epsilon)


def moments_after_shift(x: Float[Array, "b h w c"]) -> tuple[ByChannel, ByChannel]:
    """Mean and variance of each channel in one pass, float32.

    E[x²] - E[x]² loses digits where the mean is far from 0, so x is shifted before, by
    the mean of its first row. In an image of h rows, (shift - mean)² is at most h times
    the variance: it costs log10(h) digits in the worst image, and in most none.
    """
    shift = lax.stop_gradient(jnp.mean(x[:, 0].astype(jnp.float32), axis=1))
    shifted = x.astype(jnp.float32) - _map(shift)
    mean = jnp.mean(shifted, axis=(1, 2))
    second = jnp.mean(jnp.square(shifted), axis=(1, 2))
    return shift + mean, second - jnp.square(mean)


def moments_by_row(x: Float[Array, "b h w c"]) -> tuple[ByChannel, ByChannel]:
    """Mean and variance of each channel, float32, from E[x] and E[x²] of each row.

    Nothing here waits for a mean, so the compiler for TPU takes both sums within the
    convolution that x comes from. Squares of bfloat16 are exact in float32. With R =
    |mean| / deviation the variance has a relative error of some R² · 2⁻²⁴ / √h, from
    the rounding of E[x²] in each row; that of x itself to bfloat16 has left one of
    R² · 2⁻¹⁸ / 12, which is more.
    """
    x = x.astype(jnp.float32)
    of_rows = jnp.mean(x, axis=2)
    mean = jnp.mean(of_rows, axis=1)
    within = jnp.mean(jnp.square(x), axis=2) - jnp.square(of_rows)
    between = jnp.square(of_rows - mean[:, None])
    # Rounding may leave less than 0 of an image that is all one value.
    return mean, jnp.maximum(jnp.mean(within + between, axis=1), 0.0)


def _group_mean(by_channel: ByChannel, num_groups: int) -> ByChannel:
    """The mean over each channel's group."""
    batch, channels = by_channel.shape
    means = jnp.mean(by_channel.reshape(batch, num_groups, -1), axis=-1)
    return jnp.repeat(means, channels // num_groups, axis=1)


def _map(by_channel: ByChannel) -> Float[Array, "b 1 1 c"]:
    return by_channel[:, None, None]
