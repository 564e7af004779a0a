"""The losses of a generator and of its discriminator, and what keeps them in balance.

Logits are high for images that seem real: [b] or, of patches, [b, hp, wp].
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Logits = Float[Array, "b *patches"]
Scalar = Float[Array, ""]


def hinge_generator(fake: Logits) -> Scalar:
    """-mean D(x̂) (geometric GAN 1705.02894, eq. 16); VQGAN's."""
    return -jnp.mean(fake)


def hinge_discriminator(real: Logits, fake: Logits) -> Scalar:
    """½ (mean relu(1 - D(x)) + mean relu(1 + D(x̂))); VQGAN's code has the ½."""
    return 0.5 * (jnp.mean(jax.nn.relu(1.0 - real)) + jnp.mean(jax.nn.relu(1.0 + fake)))


def vanilla_generator(fake: Logits) -> Scalar:
    """mean softplus(-D(x̂)): binary cross-entropy of patches against "real"."""
    return jnp.mean(jax.nn.softplus(-fake))


def vanilla_discriminator(real: Logits, fake: Logits) -> Scalar:
    """½ (mean softplus(-D(x)) + mean softplus(D(x̂))); binary cross-entropy."""
    return 0.5 * (jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(fake)))


def non_saturating_generator(fake: Logits) -> Scalar:
    """`vanilla_generator` of each image's mean logit (GAN 1406.2661, sec. 3)."""
    return vanilla_generator(image_logits(fake))


def non_saturating_discriminator(real: Logits, fake: Logits) -> Scalar:
    """Twice `vanilla_discriminator` of mean logits, as StyleGAN and Open-MAGVIT2."""
    return 2.0 * vanilla_discriminator(image_logits(real), image_logits(fake))


GENERATOR_LOSSES = {
    "hinge": hinge_generator,
    "non_saturating": non_saturating_generator,
    "vanilla": vanilla_generator,
}
DISCRIMINATOR_LOSSES = {
    "hinge": hinge_discriminator,
    "non_saturating": non_saturating_discriminator,
    "vanilla": vanilla_discriminator,
}


def image_logits(logits: Logits) -> Float[Array, "b"]:
    """Mean over the patches of each image."""
    return jnp.mean(logits.reshape(len(logits), -1), axis=1)


# choice of `lecam_logits` -> what LeCAM takes of the logits of a batch
LECAM_LOGITS = {
    "each": lambda logits: logits,
    "image_mean": image_logits,
    "batch_mean": lambda logits: jnp.mean(logits)[None],
}


def accuracy(real: Logits, fake: Logits) -> Scalar:
    """Fraction of logits on the right side of 0, over real and fake alike."""
    return 0.5 * (jnp.mean(real > 0.0) + jnp.mean(fake < 0.0))


def r1(
    discriminate: Callable[[Float[Array, "b h w c"]], Logits],
    images: Float[Array, "b h w c"],
) -> Scalar:
    """mean over images of ‖∂D(x)/∂x‖², D the mean logit of an image.

    The penalty of Mescheder et al. (1801.04406, eq. 9) is γ/2 times this. The norm is
    summed over pixels and channels, and nothing is divided by the batch before the
    square. Where D normalises by its batch, images see each other's gradient.
    """
    gradient = jax.grad(lambda x: jnp.sum(image_logits(discriminate(x))))(images)
    gradient = gradient.astype(jnp.float32)
    return jnp.mean(jnp.sum(jnp.square(gradient), axis=(1, 2, 3)))


def lecam(
    real: Logits, fake: Logits, average_real: Scalar, average_fake: Scalar
) -> Scalar:
    """mean relu(D(x) - ᾱ_F)² + mean relu(ᾱ_R - D(x̂))² (LeCAM 2104.03310, eq. 5).

    ᾱ are moving averages of the mean logits over earlier steps: no gradient reaches
    them.
    """
    over_fake = jax.nn.relu(real - lax.stop_gradient(average_fake))
    under_real = jax.nn.relu(lax.stop_gradient(average_real) - fake)
    return jnp.mean(jnp.square(over_fake)) + jnp.mean(jnp.square(under_real))


def adaptive_weight(
    reconstruction_grad: Float[Array, "*shape"],
    adversarial_grad: Float[Array, "*shape"],
    *,
    max_weight: float,
    min_weight: float = 0.0,
) -> Scalar:
    """‖∂L_rec/∂W‖ / (‖∂L_G/∂W‖ + 1e-4), clipped (VQGAN 2012.09841v3, eq. 7).

    W is the kernel of the decoder's last layer. Float32; no gradient passes.
    """
    weight = jnp.linalg.norm(reconstruction_grad.astype(jnp.float32).ravel())
    weight /= jnp.linalg.norm(adversarial_grad.astype(jnp.float32).ravel()) + 1e-4
    return lax.stop_gradient(jnp.clip(weight, min_weight, max_weight))


def ramp(step, *, start: int, length: int) -> Scalar:
    """0 before step `start`, then up to 1 in `length` + 1 equal parts.

    So at step `start` it is 1 with length 0, and 1 / (length + 1) otherwise.
    """
    risen = (jnp.asarray(step, jnp.float32) - start + 1.0) / (length + 1.0)
    return jnp.clip(risen, 0.0, 1.0)
