"""What the adversarial step costs beside that of the autoencoder, by the compiler."""

import jax
import jax.numpy as jnp
import optax
import pytest

from configs import vqgan_imagenet256
from vq_jax.losses.adversarial_objective import build_adversarial_objective
from vq_jax.models.build import build_autoencoder, build_discriminator
from vq_jax.testing import steps

KEY = jax.random.key(0)
WEIGHTS = {"l1": 1.0, "quantizer": 1.0}


@pytest.fixture
def optimised():
    """As in a run: dead code is dropped among the optimisations."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.mark.slow
def test_a_discriminator_costs_no_second_pass_through_the_decoder(optimised):
    """f16 at 256 px, adaptive weight and all, in at most 1.1 times the flops."""
    config = vqgan_imagenet256.get_config()
    model = build_autoencoder(config.model, channels=3)
    discriminator = build_discriminator(config.discriminator, config.model.dtype)
    tx = optax.adam(1e-4)
    alone = steps.vae_step(model, tx, WEIGHTS)
    objective = build_adversarial_objective(config)
    both = steps.gan_step(alone, discriminator, tx, objective)
    state = jax.eval_shape(lambda key: steps.init_gan(both, key, 256), KEY)
    batch = {"image": jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.uint8)}

    def flops(step, state):
        compiled = jax.jit(step).lower(state, batch, KEY).compile()
        return compiled.cost_analysis()["flops"]

    ratio = flops(both, state) / flops(alone, state.generator)
    assert 1.0 < ratio < 1.1
