"""Likelihoods: the distribution of each image channel, given the decoder's outputs.

The last axis of `outputs` has `c * outputs_per_channel` entries: first all outputs of
the first image channel, then all of the second, and so on. Images are in [-1, 1]; an
intensity is one of the 256 values 0 … 255 of a channel. Everything is computed and
returned in float32, whatever the dtype of the outputs.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vq_jax.errors import InputError

Outputs = Float[Array, "b h w o"]
Images = Float[Array, "b h w c"]

NUM_INTENSITIES = 256

# Of images in [-1, 1], as in PixelCNN++: a logistic this narrow has 97 % of its mass in
# the bin at its centre, and a narrower one would only make gradients steeper.
MIN_LOG_SCALE = -7.0

# Keeps logit(x) and 1 / (x (1 - x)) bounded (DALL-E, appendix A.3).
LOGIT_LAPLACE_EPS = 0.1


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """The distribution of an image channel whose parameters are decoder outputs.

    It is hashable, so a module can have it as a static field.

    Attributes:
        name: its name in configurations and errors.
        outputs_per_channel: number of decoder outputs for one image channel.
        mean: `mean(outputs, channels)` -> images [b, h, w, c], nominally in [-1, 1].
            Gradients reach the outputs.
        nll: `nll(outputs, images)` -> negative log-likelihood [b, h, w, c], in nats per
            element. Gradients reach the outputs. None if there is no density.
    """

    name: str
    outputs_per_channel: int
    mean: Callable[..., Array]
    nll: Callable[..., Array] | None


def split_channels(
    outputs: Outputs, channels: int, outputs_per_channel: int
) -> Float[Array, "b h w c {outputs_per_channel}"]:
    """The outputs with an axis for the image channels, float32.

    Raises:
        InputError: if `o` is not `channels * outputs_per_channel`.
    """
    *leading, found = outputs.shape
    if found != channels * outputs_per_channel:
        raise InputError(
            f"the decoder has {found} outputs per pixel, but {channels} image channels "
            f"with {outputs_per_channel} outputs each need "
            f"{channels * outputs_per_channel}. Set the decoder's output channels to "
            f"the number of image channels * likelihood.outputs_per_channel."
        )
    split = outputs.reshape(*leading, channels, outputs_per_channel)
    return split.astype(jnp.float32)


def nearest_intensity(images: Images) -> Images:
    """The intensity, 0 … 255 as float32, nearest to each element in [-1, 1]."""
    intensities = jnp.round(127.5 * (images.astype(jnp.float32) + 1.0))
    return jnp.clip(intensities, 0.0, NUM_INTENSITIES - 1.0)


def pixels_mean(outputs: Outputs, channels: int) -> Images:
    """Images of the likelihood "pixels": the outputs themselves, not clipped."""
    return split_channels(outputs, channels, 1)[..., 0]


def discretized_logistic_mean(outputs: Outputs, channels: int) -> Images:
    """The location of each logistic; not clipped, so gradients never vanish."""
    return split_channels(outputs, channels, 2)[..., 0]


def discretized_logistic_nll(outputs: Outputs, images: Images) -> Images:
    """-ln P(intensity) of a logistic cut into 256 bins (PixelCNN++ 1701.05517, eq. 2).

    The outputs of a channel are mean and log scale, for images in [-1, 1]; the log
    scale is clamped at MIN_LOG_SCALE, below which its gradient is zero. The first and
    the last bin have the tails. Images are rounded to the nearest intensity, and get no
    gradient. Values and gradients are finite for outputs of up to ±1e30.

    The original takes the log of a difference of sigmoids, and the density where that
    underflows. Here the identity sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 -
    exp(b - a)) replaces both; it is exact.
    """
    params = split_channels(outputs, images.shape[-1], 2)
    mean, log_scale = params[..., 0], jnp.maximum(params[..., 1], MIN_LOG_SCALE)
    intensity = nearest_intensity(images)

    # In units of intensities, where edges are exact: neighbouring bins must share an
    # edge to the last bit, or the narrowest logistics do not sum to one.
    log_bin_width = -log_scale - jnp.log(127.5)
    bin_width = jnp.exp(log_bin_width)
    distance = intensity - 127.5 * (mean + 1.0)
    below_upper = jax.nn.log_sigmoid((distance + 0.5) * bin_width)
    above_lower = jax.nn.log_sigmoid((0.5 - distance) * bin_width)

    inner = below_upper + above_lower + _log1mexp(bin_width, log_bin_width)
    log_prob = jnp.where(intensity == NUM_INTENSITIES - 1, above_lower, inner)
    return -jnp.where(intensity == 0, below_upper, log_prob)


def categorical_mean(outputs: Outputs, channels: int) -> Images:
    """The expected intensity under the softmax, mapped to [-1, 1]."""
    probs = jax.nn.softmax(split_channels(outputs, channels, NUM_INTENSITIES))
    values = jnp.arange(NUM_INTENSITIES, dtype=jnp.float32) / 127.5 - 1.0
    return jnp.sum(probs * jnp.expand_dims(values, (0, 1, 2, 3)), axis=-1)


def categorical_nll(outputs: Outputs, images: Images) -> Images:
    """Cross-entropy of a softmax over 256 intensities (PixelRNN 1601.06759, sec. 2.3).

    Images are rounded to the nearest intensity, and get no gradient.
    """
    logits = split_channels(outputs, images.shape[-1], NUM_INTENSITIES)
    intensity = nearest_intensity(images).astype(jnp.int32)
    chosen = jnp.take_along_axis(logits, intensity[..., None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits, axis=-1) - chosen


def logit_laplace_mean(outputs: Outputs, channels: int) -> Images:
    """phi^-1(sigmoid(mu)) in [-1, 1]: DALL-E's reconstruction (2102.12092, app. A.3).

    It is the distribution's median, not its mean. It is clipped, so gradients vanish
    where sigmoid(mu) is outside of [eps, 1 - eps].
    """
    mapped = jax.nn.sigmoid(split_channels(outputs, channels, 2)[..., 0])
    unit = (mapped - LOGIT_LAPLACE_EPS) / (1.0 - 2.0 * LOGIT_LAPLACE_EPS)
    return 2.0 * jnp.clip(unit, 0.0, 1.0) - 1.0


def logit_laplace_nll(outputs: Outputs, images: Images) -> Images:
    """-ln density of the image under a logit-Laplace (DALL-E 2102.12092, app. A.3).

    phi maps [-1, 1] affinely to [eps, 1 - eps], eps = 0.1, and the density (eq. 2) is
    that of phi(image) on (0, 1). It compares with DALL-E's numbers, may be negative,
    and does not compare with the nats of a discrete likelihood. The outputs of a
    channel are mu and ln b. Deviation: ln b is clamped at MIN_LOG_SCALE, since the
    density has no bound as b -> 0.
    """
    params = split_channels(outputs, images.shape[-1], 2)
    mean, log_scale = params[..., 0], jnp.maximum(params[..., 1], MIN_LOG_SCALE)
    unit = 0.5 * (images.astype(jnp.float32) + 1.0)
    mapped = (1.0 - 2.0 * LOGIT_LAPLACE_EPS) * unit + LOGIT_LAPLACE_EPS
    log_x, log_1mx = jnp.log(mapped), jnp.log1p(-mapped)
    distance = jnp.abs(log_x - log_1mx - mean)
    return jnp.log(2.0) + log_scale + log_x + log_1mx + distance * jnp.exp(-log_scale)


def _log1mexp(x: Float[Array, "*s"], log_x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """ln(1 - exp(-x)) for x >= 0; finite even where x underflows but log_x does not."""
    small = x < 1e-3  # The series' next term, x**2 / 24, is below float32 there.
    safe = jnp.where(small, 1.0, x)  # Else the unused branch puts NaN in the gradient.
    return jnp.where(small, log_x - 0.5 * x, jnp.log(-jnp.expm1(-safe)))


PIXELS = Likelihood("pixels", 1, pixels_mean, None)
DISCRETIZED_LOGISTIC = Likelihood(
    "discretized_logistic", 2, discretized_logistic_mean, discretized_logistic_nll
)
CATEGORICAL = Likelihood(
    "categorical", NUM_INTENSITIES, categorical_mean, categorical_nll
)
LOGIT_LAPLACE = Likelihood("logit_laplace", 2, logit_laplace_mean, logit_laplace_nll)

ALL = (PIXELS, DISCRETIZED_LOGISTIC, CATEGORICAL, LOGIT_LAPLACE)
