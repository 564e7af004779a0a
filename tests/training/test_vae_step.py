import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from vq_jax import sharding
from vq_jax.ops import code_usage
from vq_jax.ops import images as image_ops
from vq_jax.testing import steps, tiny

WEIGHTS = {"l2": 1.0, "quantizer": 1.0}
KEY = jax.random.key(7)
# One case a family; their options have their own tests.
FAMILIES = list({c["name"]: case for case, c in tiny.QUANTIZERS.items()}.values())


def _setup(quantizer="vq_ema_no_restart", *, weights=WEIGHTS, ema_decay=0.0, **kwargs):
    fields = {name: kwargs.pop(name) for name in ("head", "dtype") if name in kwargs}
    model = tiny.model(quantizer, **fields)
    step = steps.vae_step(
        model, optax.adam(1e-2), weights, ema_decay=ema_decay, **kwargs
    )
    return steps.init_vae(step, jax.random.key(0)), step


def _run(step, state, num_steps=3, size=8):
    for i in range(num_steps):
        state, metrics = step(state, tiny.batch(size, seed=i), KEY)
    return state, metrics


def _assert_close(a, b, rtol=2e-4, atol=2e-5):
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), a, b
    )


@pytest.mark.parametrize("quantizer", FAMILIES)
def test_training_lowers_the_reconstruction_error(quantizer):
    state, step = _setup(quantizer)
    step = jax.jit(step)
    first = step(state, tiny.batch(8), KEY)[1]["train/l2"]
    for _ in range(60):
        state, metrics = step(state, tiny.batch(8), KEY)
    assert metrics["train/l2"] < 0.5 * first
    assert int(state.step) == 60


def test_jit_changes_nothing_but_rounding():
    state, step = _setup("vq")
    _assert_close(_run(step, state, 1), _run(jax.jit(step), state, 1))


@pytest.mark.parametrize("mesh", [(8, 1), (4, 2), (1, 8)])
@pytest.mark.parametrize("quantizer", ["vq_ema", "vq"])
def test_every_mesh_gives_the_same_run(quantizer, mesh, monkeypatch):
    monkeypatch.setattr(sharding, "MIN_SHARDED_SIZE", 1)
    state, step = _setup(quantizer)
    expected = _run(jax.jit(step), state)
    mesh = sharding.make_mesh(data=mesh[0], fsdp=mesh[1])
    shardings = sharding.state_shardings(state, mesh)
    everywhere = sharding.replicated(mesh)
    sharded_step = jax.jit(
        step,
        in_shardings=(shardings, sharding.batch_sharding(mesh), everywhere),
        out_shardings=(shardings, everywhere),
    )
    found = _run(sharded_step, jax.device_put(state, shardings))
    kernel = found[0].params["encoder"]["Conv_1"]["kernel"]
    assert kernel.sharding.is_fully_replicated == (mesh.shape["fsdp"] == 1)
    _assert_close(found, expected)


@pytest.mark.parametrize("quantizer", ["vq", "vq_ema_no_restart"])
def test_a_batch_in_parts_is_the_batch(quantizer):
    # SGD, because Adam makes full-size steps of gradients that only rounding moves.
    model, tx = tiny.model(quantizer), optax.sgd(0.1)
    made = [steps.vae_step(model, tx, WEIGHTS, accumulation=n) for n in (1, 4)]
    state = steps.init_vae(made[0], KEY)
    whole, parts = (jax.jit(step)(state, tiny.batch(8), KEY) for step in made)
    _assert_close(whole[0], parts[0], atol=1e-6)
    for name in ("train/loss", "train/l2", "train/grad_norm"):
        np.testing.assert_allclose(whole[1][name], parts[1][name], rtol=1e-4)


def test_parameter_averages_follow_the_definition():
    state, step = _setup(ema_decay=0.9)
    step = jax.jit(step)
    for i, decay in ((0, 1 / 10), (500, 0.9)):  # warming up, and at its full value
        before = state.replace(step=jnp.asarray(i))
        after, _ = step(before, tiny.batch(8), KEY)
        expected = jax.tree.map(
            lambda old, new, d=decay: d * old + (1 - d) * new,
            before.ema_params,
            after.params,
        )
        _assert_close(after.ema_params, expected, rtol=1e-5, atol=1e-7)
    assert after.inference_variables()["params"] is after.ema_params


def test_randomness_depends_on_the_step_and_on_nothing_else():
    weights = {"l2": 1.0, "kl": 1e-3}
    state, step = _setup("none", weights=weights, head={"name": "gaussian"})
    step = jax.jit(step)
    batch = tiny.batch(8)
    again = [step(state, batch, KEY)[1]["train/l2"] for _ in range(2)]
    assert again[0] == again[1]
    later = step(state.replace(step=jnp.asarray(1)), batch, KEY)[1]["train/l2"]
    assert later != again[0]


def test_losses_are_logged_unweighted():
    weights = {"l1": 0.5, "l2": 2.0, "quantizer": 3.0}
    state, step = _setup(weights=weights)
    metrics = jax.jit(step)(state, tiny.batch(8), KEY)[1]
    total = sum(weight * metrics[f"train/{name}"] for name, weight in weights.items())
    np.testing.assert_allclose(metrics["train/loss"], total, rtol=1e-6)
    assert all(v.dtype == jnp.float32 for v in metrics.values())


def test_bfloat16_follows_float32_at_first():
    # The codebook is left out: a rounded latent may choose another code.
    found, expected = (
        _run(jax.jit(step), state, num_steps=1)[1]["train/l2"]
        for state, step in (_setup("none", dtype=d) for d in ("bfloat16", "float32"))
    )
    np.testing.assert_allclose(found, expected, rtol=2e-2)


def test_a_start_from_data_uses_the_whole_codebook():
    model, tx = tiny.model("vq_ema"), optax.adam(1e-2)
    step = steps.vae_step(model, tx, WEIGHTS, ema_decay=0.9)
    state = steps.init_vae(step, KEY)
    start = jax.jit(step.autoencoder.init_codebook_from_data)
    usage = [
        float(jax.jit(step)(s, tiny.batch(8), KEY)[1]["train/usage"])
        for s in (state, start(state, tiny.batch(8), KEY))
    ]
    assert usage[0] < usage[1] == 1.0


def test_usage_over_a_window_does_not_depend_on_the_batch_size():
    # No update, so that all batch sizes see the same model.
    model, tx = tiny.model("fsq"), optax.set_to_zero()
    logged = []
    for size in (4, 8):
        step = steps.vae_step(model, tx, WEIGHTS, usage_window=8)
        state, step = steps.init_vae(step, KEY), jax.jit(step)
        for first in range(0, 24, size):
            images = tiny.images(24)[first : first + size]
            state, metrics = step(state, {"image": jnp.asarray(images)}, KEY)
        logged.append((metrics["train/usage"], metrics["train/perplexity"]))
    indices = model.apply(
        {"params": state.params},
        image_ops.from_uint8(jnp.asarray(tiny.images(24)[16:])),
        method="encode",
    )
    counts = code_usage.code_counts(indices, model.quantizer.codebook_size)
    assert logged[0] == logged[1]
    assert logged[0] == (code_usage.usage(counts), code_usage.perplexity(counts))
