"""A step of a prior is the same in parts, and on any mesh; it tells its number."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from vq_jax import sharding
from vq_jax.inference.code_data import OnlineCodes
from vq_jax.testing import priors
from vq_jax.training.prior_step import PriorStep
from vq_jax.training.state import TrainState

LAYOUT = priors.grid_layout(2, 3, 64)


@dataclasses.dataclass(frozen=True)
class _Given(OnlineCodes):
    """Codes that are in the batch."""

    def codes(self, batch, nets):
        return batch["codes"]


def _step(case, accumulation=1, **fields):
    prior = priors.build(case, LAYOUT, hidden_dim=64, **fields)
    return PriorStep(
        prior=prior,
        data=_Given(None, None),
        tx=optax.sgd(1e-2),
        ema_decay=0.9,
        accumulation=accumulation,
    )


def _state(step):
    params = priors.variables(step.prior, random=0.02)["params"]
    return TrainState(
        step=jnp.int32(0),
        params=params,
        variables={},
        opt_state=step.tx.init(params),
        ema_params=jax.tree.map(jnp.copy, params),
    )


def _batch():
    codes = np.random.default_rng(0).integers(0, 64, (16, 2, 3), np.int32)
    return {"codes": codes, "label": np.zeros(16, np.int32)}


def _run(step, mesh, num_steps=2):
    """The state and metrics after some steps on a mesh."""
    state = _state(step)
    state = jax.device_put(state, sharding.state_shardings(state, mesh))
    compiled = jax.jit(functools.partial(step, nets={}))
    for _ in range(num_steps):
        state, metrics = compiled(
            state, sharding.global_batch(_batch(), mesh), jax.random.key(1)
        )
    return jax.device_get((state, metrics))


def _assert_close(found, expected):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-6),
        found,
        expected,
    )


@pytest.mark.parametrize("case", ["autoregressive", "gpt"])
def test_a_step_is_the_same_in_parts_and_on_eight_devices(case):
    one = sharding.make_mesh(data=1, fsdp=1, devices=jax.devices()[:1])
    expected = _run(_step(case), one)
    _assert_close(_run(_step(case), sharding.make_mesh(data=2, fsdp=4)), expected)
    parts = _run(_step(case, accumulation=2, remat=True), one)
    _assert_close(parts, expected)


def test_the_prior_knows_the_number_of_the_step():
    """So the loss of the last step is that of the order of the sequence."""
    one = sharding.make_mesh(data=1, fsdp=1, devices=jax.devices()[:1])
    fields = {"random_until": 1, "raster_from": 2}
    random = _step("random_order", **fields)
    raster = _step("random_order")
    state = _state(random).replace(step=jnp.int32(2))
    batch, key = sharding.global_batch(_batch(), one), jax.random.key(1)
    losses = [
        jax.jit(functools.partial(step, nets={}))(state, batch, key)[1]["train/loss"]
        for step in (random, raster)
    ]
    assert losses[0] == losses[1]
    early = state.replace(step=jnp.int32(0))
    _, metrics = jax.jit(functools.partial(random, nets={}))(early, batch, key)
    assert metrics["train/loss"] != losses[0]
