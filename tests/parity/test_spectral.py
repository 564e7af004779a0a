"""Spectral normalisation of the patch discriminator against PyTorch's.

Goldens are float32 on a CPU; sums in another order differ by 1e-6 to 1e-5.
"""

import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.models.discriminators.patchgan import PatchDiscriminator
from vq_jax.models.layers.norms import BATCH_STATS
from vq_jax.testing.goldens import load, named_weight

SHAPES = ((4, 3, 4, 4), (8, 4, 4, 4), (16, 8, 4, 4), (1, 16, 4, 4))


def _nhwc(array):
    return jnp.asarray(np.moveaxis(array, 1, -1))


def _params():
    def weight(name, *shape):
        return jnp.asarray(named_weight(name, shape))

    return {
        f"conv_{i}": {
            "kernel": weight(f"conv_{i}.weight", *shape).transpose(2, 3, 1, 0),
            "bias": weight(f"conv_{i}.bias", shape[0]),
        }
        for i, shape in enumerate(SHAPES)
    }


def _vectors(golden, moment):
    """The left singular vectors, and the singular values, which training overwrites."""
    return {
        f"conv_{i}_spectral": {
            f"conv_{i}/kernel/u": jnp.asarray(golden[f"{moment}_u_{i}"])[None],
            f"conv_{i}/kernel/sigma": jnp.ones(()),
        }
        for i in range(len(SHAPES))
    }


def test_a_training_pass_its_gradients_and_the_next_pass():
    golden = load("spectral_patchgan")
    module = PatchDiscriminator(base_dim=4, num_layers=2, norm="spectral")

    @jax.jit
    def apply(params, images, stats):
        variables = {"params": params, BATCH_STATS: stats}
        logits, updated = module.apply(
            variables, images, train=True, mutable=[BATCH_STATS]
        )
        return jnp.sum(logits**2), (logits, updated[BATCH_STATS])

    params, images = _params(), _nhwc(golden["images"])
    gradients = jax.jit(jax.grad(apply, argnums=(0, 1), has_aux=True))
    grads, (logits, stats) = gradients(params, images, _vectors(golden, "before"))
    close = np.testing.assert_allclose
    close(logits, golden["logits"][:, 0], rtol=1e-4, atol=1e-6)
    close(grads[1], _nhwc(golden["images_grad"]), rtol=1e-3, atol=1e-6)
    for i in range(len(SHAPES)):
        kernel_grad = golden[f"grad_{i}"].transpose(2, 3, 1, 0)
        close(grads[0][f"conv_{i}"]["kernel"], kernel_grad, rtol=1e-3, atol=1e-5)
        found = stats[f"conv_{i}_spectral"][f"conv_{i}/kernel/u"][0]
        close(found, golden[f"after_u_{i}"], rtol=1e-4, atol=1e-5)
    _, (second, _) = apply(params, images, stats)
    close(second, golden["second_logits"][:, 0], rtol=1e-4, atol=1e-6)
