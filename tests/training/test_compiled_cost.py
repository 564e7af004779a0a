"""What the adversarial step costs beside that of the autoencoder, by the compiler."""

import jax
import jax.numpy as jnp
import optax
import pytest
from jax import lax

from configs import vqgan_imagenet256
from vq_jax.models.build import build_autoencoder, build_discriminator
from vq_jax.ops import convolution
from vq_jax.training import gan_step, vae_step
from vq_jax.training.discriminator import create_discriminator
from vq_jax.training.game import make_game
from vq_jax.training.state import AdversarialState, create_state

WEIGHTS = {"l1": 1.0, "quantizer": 1.0}


@pytest.fixture
def optimised(monkeypatch):
    """As accelerators compile: dead code is dropped among the optimisations.

    Kernel gradients are XLA's own, as there; of a loop, as CPUs have it, the compiler
    would count one round.
    """
    monkeypatch.setattr(convolution, "convolve", lax.conv_general_dilated)
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

    def init(key):
        return AdversarialState(
            create_state(model, tx, key, image_size=256, ema_decay=0.0),
            create_discriminator(
                discriminator, tx, jax.random.clone(key), image_size=256, channels=3
            ),
        )

    state = jax.eval_shape(init, jax.random.key(0))
    batch = {"image": jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.uint8)}

    def flops(step, state):
        compiled = jax.jit(step).lower(state, batch, jax.random.key(0)).compile()
        return compiled.cost_analysis()["flops"]

    alone = vae_step.make_vae_step(model, tx, loss_weights=WEIGHTS)
    game = make_game(config.adversarial)
    both = gan_step.make_gan_step(
        model, discriminator, tx, tx, game, loss_weights=WEIGHTS
    )
    ratio = flops(both, state) / flops(alone, state.generator)
    assert 1.0 < ratio < 1.1
