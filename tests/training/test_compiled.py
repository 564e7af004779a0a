"""A step compiled on abstract arguments is the step."""

import jax
import numpy as np
import pytest

from configs import vqgan_stability
from vq_jax import sharding
from vq_jax.testing import tiny
from vq_jax.training.compiled import compile_step
from vq_jax.training.setup import prepare


@pytest.fixture(scope="module")
def setup():
    config = vqgan_stability.get_config("smoke")
    config.data.image_size = 16
    config.model = tiny.model_config("vq_ema")
    return prepare(config)


def test_it_takes_a_state_and_gives_what_the_step_gives(setup):
    task, compiled = setup.task, compile_step(setup)
    key, batch = jax.random.key(1), {"image": tiny.images(8)}
    state = jax.jit(task.init)(jax.random.key(0))
    _, expected = jax.jit(task.step)(state, batch, key, {})
    placed = jax.device_put(state, setup.shardings)
    batch = sharding.global_batch(batch, setup.mesh)
    _, found = compiled(placed, batch, key, {})
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-5)


def test_it_needs_no_weights_of_pretrained_networks():
    from vq_jax.pretrained.lpips import load_lpips, lpips_shapes

    real = jax.tree.map(lambda x: (x.shape, x.dtype), load_lpips("alexnet"))
    shapes = lpips_shapes("alexnet")
    assert jax.tree.map(lambda x: (x.shape, x.dtype), shapes) == real
