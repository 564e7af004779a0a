"""The step of priors, on given codes: the same on every mesh and in parts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ml_collections import ConfigDict

from vq_jax import sharding
from vq_jax.models.build import build_prior
from vq_jax.models.priors.base import STREAMS, initial_params
from vq_jax.testing.given_codes import given_codes
from vq_jax.testing.priors import TINY
from vq_jax.training import rng
from vq_jax.training.prior_step import PriorStep
from vq_jax.training.state import TrainState

KEY = jax.random.key(0)
# What its codes are, where a family is not for those of every tokenizer.
QUANTIZERS = {"next_scale": "multi_scale"}
# Families whose loss is on codes that are hidden at random.
RANDOM = ("maskgit",)


def _data(quantizer="vq"):
    shape = given_codes(quantizer).tokenizer.layout.shape
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 16, (8, *shape), dtype=np.int32)
    return given_codes(quantizer, train=(codes, np.arange(8, dtype=np.int32) % 2))


def _step(case="independent", quantizer="vq", tx=None, parts=1, ema=0.0, **fields):
    data = _data(QUANTIZERS.get(TINY[case]["name"], quantizer))
    fields = {"num_classes": 2, "class_dropout": 0.5, **fields}
    config = ConfigDict({**TINY[case], **fields})
    prior = build_prior(config, data.tokenizer.model, 16)
    return PriorStep(
        prior=prior,
        data=data,
        tx=tx or optax.sgd(0.5),
        ema_decay=ema,
        accumulation=parts,
    )


def _state(step):
    rngs = rng.step_keys(KEY, 0, ("params", *STREAMS))
    params = initial_params(step.prior, rngs, step.data.tokenizer.zeros())
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        variables={},
        opt_state=step.tx.init(params),
        ema_params=jax.tree.map(jnp.copy, params) if step.ema_decay else {},
    )


def _nets(step):
    """Random variables of the tokenizer, for families that read its codebook."""
    images = jnp.zeros((1, 16, 16, 3))
    made = step.data.tokenizer.model.init(jax.random.key(1), images, train=False)
    return {"tokenizer": made}


def _batch(step):
    codes, labels = step.data.splits["train"]
    return {"codes": codes, "label": labels}


def _assert_close(found, expected, rtol=2e-4, atol=1e-5):
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol),
        found,
        expected,
    )


@pytest.mark.parametrize("mesh", [(8, 1), (4, 2)])
@pytest.mark.parametrize("case", TINY)
def test_every_mesh_gives_the_same_run(case, mesh, monkeypatch):
    monkeypatch.setattr(sharding, "MIN_SHARDED_SIZE", 1)
    step = _step(case)
    state, batch, nets = _state(step), _batch(step), _nets(step)
    expected = jax.jit(step)(state, batch, KEY, nets)
    mesh = sharding.make_mesh(data=mesh[0], fsdp=mesh[1])
    shardings = sharding.state_shardings(state, mesh)
    everywhere = sharding.replicated(mesh)
    sharded = jax.jit(
        step,
        in_shardings=(shardings, sharding.batch_sharding(mesh), everywhere, everywhere),
        out_shardings=(shardings, everywhere),
    )
    found = sharded(jax.device_put(state, shardings), batch, KEY, nets)
    split = [not x.sharding.is_fully_replicated for x in jax.tree.leaves(found[0])]
    assert any(split) == (mesh.shape["fsdp"] > 1)
    _assert_close(found, expected)


@pytest.mark.parametrize(
    "case", [case for case in TINY if TINY[case]["name"] not in RANDOM]
)
def test_a_batch_in_parts_is_the_batch(case):
    off = {k: 0.0 for k in TINY[case] if "drop" in k or k == "corruption"}
    whole, parts = (_step(case, parts=n, class_dropout=0.0, **off) for n in (1, 4))
    state, nets = _state(whole), _nets(whole)
    expected, found = (
        jax.jit(step)(state, _batch(step), KEY, nets) for step in (whole, parts)
    )
    _assert_close(found, expected)


def test_parameter_averages_follow_the_definition():
    step = _step(ema=0.9)
    before = _state(step)
    for decay in (1 / 10, 2 / 11):  # warming up
        after, _ = jax.jit(step)(before, _batch(step), KEY, {})
        expected = jax.tree.map(
            lambda old, new, d=decay: d * old + (1 - d) * new,
            before.ema_params,
            after.params,
        )
        _assert_close(after.ema_params, expected)
        before = after
    assert after.inference_variables()["params"] is after.ema_params


def test_classes_are_dropped_anew_in_every_step():
    step = _step(class_dropout=0.5)
    state = _state(step)

    def changed(number):
        """Classes whose histograms a step has changed."""
        before = state.replace(step=jnp.asarray(number))
        after, _ = jax.jit(step)(before, _batch(step), KEY, {})
        return np.abs(after.params["logits"] - state.params["logits"]).sum((1, 2))

    assert np.array_equal(changed(3), changed(3))
    assert not np.array_equal(changed(3), changed(4))
    assert (np.sum([changed(i) for i in range(4)], axis=0) > 0).all()


def test_gradients_reach_no_tokenizer_and_the_loss_falls():
    step = _step(tx=optax.adam(0.1))
    state, nets = _state(step), _nets(step)
    compiled, losses = jax.jit(step), []
    for _ in range(30):
        state, metrics = compiled(state, _batch(step), KEY, nets)
        losses.append(float(metrics["train/loss"]))
    assert losses[0] == pytest.approx(np.log(16), abs=0.1)
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(("quantizer", "num_books"), [("vq", 1), ("residual", 3)])
def test_code_perplexity_is_the_mean_over_codebooks(quantizer, num_books):
    step = _step(quantizer=quantizer)
    codes, _ = step.data.splits["train"]
    if quantizer == "residual":
        codes[..., 0] = 3  # a level that has collapsed
    _, metrics = jax.jit(step)(_state(step), _batch(step), KEY, {})
    expected = []
    for book in codes.reshape(-1, num_books).T:
        probs = np.bincount(book, minlength=16) / len(book)
        expected.append(np.exp(-sum(p * np.log(p) for p in probs if p)))
    found = metrics["train/code_perplexity"]
    assert found == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_prior_is_told_the_number_of_the_step():
    """Random orders end at step 2: then the loss is that without any."""
    fields = {"random_until": 1, "raster_from": 2}
    ending, without = _step("random_order", **fields), _step("random_order")
    state, nets = _state(ending), _nets(ending)
    # At first a code is a code, whatever its position.
    noise = jax.random.normal(jax.random.key(2), state.params["targets"].shape)
    state = state.replace(params={**state.params, "targets": noise})

    def loss(step, number):
        at = state.replace(step=jnp.asarray(number))
        return jax.jit(step)(at, _batch(step), KEY, nets)[1]["train/loss"]

    assert loss(ending, 2) == loss(without, 2)
    assert loss(ending, 0) != loss(without, 0)
