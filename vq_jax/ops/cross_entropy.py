"""Cross-entropy of codes under logits, in nats."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def token_nats(
    logits: Float[Array, "*n k"], codes: Int[Array, "*n"], smoothing: float = 0.0
) -> Float[Array, "*n"]:
    """-log softmax(logits)[code], float32; gradients reach the logits.

    With `smoothing` ε the target is 1 - ε on the code and ε spread over all of them,
    which is no likelihood: (1 - ε) · nats + ε · (logsumexp ℓ - mean ℓ). No array of
    targets is made.
    """
    logits = logits.astype(jnp.float32)
    total = jax.nn.logsumexp(logits, axis=-1)
    chosen = jnp.take_along_axis(logits, codes[..., None], axis=-1)[..., 0]
    nats = total - chosen
    if not smoothing:
        return nats
    spread = total - jnp.mean(logits, axis=-1)
    return (1.0 - smoothing) * nats + smoothing * spread
