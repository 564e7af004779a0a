"""What steps cost, by the compiler, or by the program that it is given."""

import functools
import re

import jax
import jax.numpy as jnp
import optax
import pytest

from configs import vqgan_imagenet256
from vq_jax.losses.adversarial_objective import build_adversarial_objective
from vq_jax.models.build import build_autoencoder, build_discriminator
from vq_jax.models.layers.resnet import ResnetBlock
from vq_jax.testing import steps

KEY = jax.random.key(0)
WEIGHTS = {"l1": 1.0, "quantizer": 1.0}


@pytest.mark.slow
def test_a_discriminator_costs_no_second_pass_through_the_decoder():
    """f16 at 256 px, adaptive weight and all, in at most 1.1 times the flops.

    Of the programs that the compiler is given: all that it could still drop counts.
    """
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
        return jax.jit(step).lower(state, batch, KEY).cost_analysis()["flops"]

    ratio = flops(both, state) / flops(alone, state.generator)
    assert 1.0 < ratio < 1.1


@pytest.fixture(scope="module")
def block():
    """A residual block in bfloat16: `(params, x) -> y`, and its abstract arguments."""
    module = ResnetBlock(32, num_groups=8, dtype="bfloat16")
    x = jax.ShapeDtypeStruct((2, 16, 16, 32), jnp.bfloat16)
    apply = functools.partial(module.apply, train=True)
    init = functools.partial(module.init, train=True)
    return apply, jax.eval_shape(init, KEY, x), x


def test_a_residual_block_saves_no_float32_maps_for_its_gradient(block):
    apply, params, x = block
    gradient = jax.eval_shape(lambda *args: jax.vjp(apply, *args)[1], params, x)
    saved = [leaf.dtype for leaf in jax.tree.leaves(gradient) if leaf.size >= x.size]
    assert jnp.float32 not in saved
    assert len(saved) <= 10


def test_a_residual_block_for_tpu_has_no_more_float32_maps_and_bytes(block):
    """In the program that the compiler for TPU gets: before it fuses anything."""
    apply, params, x = block

    def gradients(params, x):
        y, vjp = jax.vjp(apply, params, x)
        return vjp(y)

    traced = jax.jit(gradients).trace(params, x)
    lowered = traced.lower(lowering_platforms=("tpu",))
    maps = re.findall(r"(?:->|:) tensor<2x16x16x32xf32>\n", lowered.as_text())
    assert len(maps) <= 42
    assert lowered.cost_analysis()["bytes accessed"] < 10.4e6


def test_a_residual_block_on_cpus_keeps_four_maps():
    """The inputs of its two norms and of its two convolutions: no σ(x), no x - mean."""
    block = ResnetBlock(32, num_groups=8)
    x = jax.ShapeDtypeStruct((2, 16, 16, 32), jnp.float32)
    params = jax.eval_shape(functools.partial(block.init, train=True), KEY, x)

    def num_maps(num_blocks):
        def blocks(params, x):
            for _ in range(num_blocks):
                x = block.apply(params, x, train=True)
            return x

        def gradients(params, x, cotangent):
            return jax.vjp(blocks, params, x)[1](cotangent)

        compiled = jax.jit(gradients).lower(params, x, x).compile()
        return compiled.memory_analysis().temp_size_in_bytes / (4 * x.size)

    # Were x - mean or σ(x) kept, there would be 6.
    assert num_maps(6) - num_maps(2) < 4 * 4.5
