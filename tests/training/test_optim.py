import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs.parts.defaults import defaults
from vq_jax.errors import InputError
from vq_jax.training import optim


def _config(**fields):
    config = defaults().optim
    config.update(fields)
    return config


def test_warm_up_rises_to_the_rate_and_cosine_falls_to_its_end():
    config = _config(
        learning_rate=1.0, schedule="cosine", warmup_steps=10, final_fraction=0.1
    )
    schedule = optim.make_schedule(config, 110)
    np.testing.assert_allclose(schedule(0), 0.1, rtol=1e-6)
    np.testing.assert_allclose(schedule(9), 0.91, rtol=1e-6)
    np.testing.assert_allclose(schedule(10), 1.0, rtol=1e-6)
    np.testing.assert_allclose(schedule(60), 0.55, rtol=1e-5)
    np.testing.assert_allclose(schedule(110), 0.1, rtol=1e-5)


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_every_optimizer_lowers_a_quadratic(name):
    config = _config(name=name, learning_rate=0.05)
    tx = optim.make_optimizer(config, optim.make_schedule(config, 50))
    params = {"dense": {"kernel": jnp.asarray([1.0, -2.0])}}
    state = tx.init(params)
    for _ in range(50):
        updates, state = tx.update(params, state, params)  # the gradient of ‖x‖²/2
        params = optax.apply_updates(params, updates)
    assert float(jnp.sum(params["dense"]["kernel"] ** 2)) < 2.5


def test_weight_decay_spares_biases_and_codes():
    config = _config(name="adamw", weight_decay=0.5)
    tx = optim.make_optimizer(config, lambda step: 1.0)
    kernels = ("kernel", "vertical_kernel")  # of a layer with several, by its name
    params = {name: jnp.ones(3) for name in (*kernels, "bias", "codes")}
    zeros = {name: jnp.zeros(3) for name in params}
    updates, _ = tx.update(zeros, tx.init(params), params)
    for name in kernels:
        np.testing.assert_allclose(updates[name], -0.5)
    for name in ("bias", "codes"):
        np.testing.assert_array_equal(updates[name], 0.0)


def test_clipping_limits_the_global_norm():
    config = _config(name="sgd", clip_norm=1.0)
    tx = optim.make_optimizer(config, lambda step: 1.0)
    grads = {"a": jnp.full(3, 30.0), "b": jnp.full(1, 40.0)}
    updates, _ = tx.update(grads, tx.init(grads), grads)
    np.testing.assert_allclose(optax.tree.norm(updates), 1.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "adamm"}, r"config.optim.name='adamm' is unknown; choose from"),
        ({"schedule": "step"}, r"config.optim.schedule='step' is unknown; choose"),
        ({"weight_decay": 0.1}, r"weight_decay=0.1 has no effect on 'adam'"),
        ({"warmup_steps": 200}, r"warmup_steps=200 must be in \[0, 100\]"),
    ],
)
def test_bad_fields_are_named(fields, message):
    config = _config(**fields)
    with pytest.raises(InputError, match=message):
        optim.make_optimizer(config, optim.make_schedule(config, 100))
