"""Group normalisation whose gradient takes one pass over sums, and keeps x as it is."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

ByChannel = Float[Array, "b c"]


def group_norm(
    x: Float[Array, "b h w c"],
    scale: ByChannel,
    bias: ByChannel,
    *,
    num_groups: int,
    epsilon: float,
    dtype: str,
) -> Float[Array, "b h w c"]:
    """scale · (x - mean) / √(variance + ε) + bias, by groups of channels (1803.08494).

    The computation is float32. For the gradients, x is saved in its own dtype, and the
    two sums that they need are taken in one pass over x and the cotangent, where
    autodiff of the formula takes more and saves x - mean in float32. Gradients can be
    differentiated again in reverse mode; there is no forward-mode derivative.

    Args:
        scale, bias: of each image, which an adaptive norm has different ones for.
        num_groups: number of groups, which divides c.
        epsilon: ε, added to the variance.
        dtype: dtype of the result.
    """
    return _normed(x, scale, bias, num_groups, epsilon, jnp.dtype(dtype))


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def _normed(x, scale, bias, num_groups, epsilon, dtype):
    return _forward(x, scale, bias, num_groups, epsilon, dtype)[0]


def _forward(x, scale, bias, num_groups, epsilon, dtype):
    mean, inverse = _statistics(x, num_groups, epsilon)
    centred = x.astype(jnp.float32) - _map(mean)
    y = centred * _map(inverse * scale) + _map(bias)
    return y.astype(dtype), (x, scale, mean, inverse)


def _backward(num_groups, epsilon, dtype, saved, cotangent):
    # With x̂ = (x - mean) / √(variance + ε) and g = scale · cotangent, the gradient of x
    # is (g - E[g] - x̂ E[g x̂]) / √(variance + ε), where E is the mean over a group.
    del epsilon, dtype
    x, scale, mean, inverse = saved
    cotangent = cotangent.astype(jnp.float32)
    centred = x.astype(jnp.float32) - _map(mean)
    bias_grad = jnp.sum(cotangent, axis=(1, 2))
    scale_grad = inverse * jnp.sum(cotangent * centred, axis=(1, 2))
    positions = x.shape[1] * x.shape[2]
    along_one = _group_mean(scale * bias_grad, num_groups) / positions
    along_x = _group_mean(scale * scale_grad, num_groups) / positions
    x_grad = (
        cotangent * _map(inverse * scale)
        - centred * _map(jnp.square(inverse) * along_x)
        - _map(inverse * along_one)
    )
    return x_grad.astype(x.dtype), scale_grad, bias_grad


_normed.defvjp(_forward, _backward)


def _statistics(x, num_groups: int, epsilon: float) -> tuple[ByChannel, ByChannel]:
    """Mean, and 1 / √(variance + ε), of each channel's group."""
    if x.dtype == jnp.bfloat16:
        mean, variance = lax.platform_dependent(
            x, tpu=moments_by_row, default=moments_after_shift
        )
    else:
        mean, variance = moments_after_shift(x)
    of_group = _group_mean(mean, num_groups)
    variance = _group_mean(variance + jnp.square(mean - of_group), num_groups)
    return of_group, lax.rsqrt(variance + epsilon)


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
