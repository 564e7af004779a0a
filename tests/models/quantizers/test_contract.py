"""What every quantizer promises, run over all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from vq_jax.models.build import QUANTIZERS as TABLE
from vq_jax.models.build import from_table
from vq_jax.models.quantizers import base
from vq_jax.ops import codebook
from vq_jax.testing import tiny

CODED = [name for name in tiny.QUANTIZERS if name != "none"]


def _make(case, dtype="float32"):
    config = ConfigDict(tiny.QUANTIZERS[case])
    derived = {} if config.name == "none" else {"code_dim": 4}
    module = from_table(TABLE, config, "quantizer", dtype=dtype, **derived)
    z_e = jax.random.normal(jax.random.key(0), (2, 3, 5, 4)).astype(dtype)
    rngs = {"params": jax.random.key(1), "codebook": jax.random.key(2)}
    variables = module.init(rngs, z_e, train=False)
    if module.starts_from_data:
        _, variables = module.apply(
            variables,
            z_e,
            method="start",
            rngs={"codebook": jax.random.key(3)},
            mutable=["params", base.STATE],
        )
    return module, variables, z_e


def _apply(module, variables, z_e, *, train):
    rngs = {"codebook": jax.random.key(4)}
    return module.apply(variables, z_e, train=train, rngs=rngs)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_the_output_is_the_same_struct_in_training_and_evaluation(case):
    module, variables, z_e = _make(case)
    outputs = [_apply(module, variables, z_e, train=t) for t in (True, False)]
    for out in outputs:
        assert out.z_q.shape == z_e.shape
        assert out.indices.shape == z_e.shape[:-1]
        assert out.indices.dtype == jnp.int32
        for scalar in (out.loss, *out.metrics.values()):
            assert scalar.shape == ()
            assert scalar.dtype == jnp.float32
    assert jax.tree.structure(outputs[0]) == jax.tree.structure(outputs[1])


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CODED)
def test_lookup_returns_the_forward_pass_bit_for_bit(case, dtype, train):
    module, variables, z_e = _make(case, dtype)
    forward = jax.jit(lambda v, z: _apply(module, v, z, train=train))
    out = forward(variables, z_e)
    looked_up = module.apply(variables, out.indices, method="lookup")
    assert out.z_q.dtype == looked_up.dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(out.z_q, looked_up)
    assert out.indices.min() >= 0
    assert out.indices.max() < module.codebook_size


@pytest.mark.parametrize("case", CODED)
def test_quantising_codes_returns_them(case):
    module, variables, _ = _make(case)
    indices = jnp.arange(16, dtype=jnp.int32).reshape(1, 4, 4)
    codes = module.apply(variables, indices, method="lookup")
    out = _apply(module, variables, codes, train=False)
    np.testing.assert_array_equal(out.indices, indices)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_the_gradient_of_z_q_reaches_z_e_unchanged(case):
    module, variables, z_e = _make(case)
    weights = jax.random.normal(jax.random.key(5), z_e.shape)

    def loss(z):
        return jnp.sum(weights * _apply(module, variables, z, train=True).z_q)

    np.testing.assert_allclose(jax.grad(loss)(z_e), weights, rtol=1e-6)


@pytest.mark.parametrize("case", CODED)
def test_loss_and_its_gradients_are_the_definition(case):
    module, variables, z_e = _make(case)
    out = _apply(module, variables, z_e, train=True)
    grad = jax.grad(lambda z: _apply(module, variables, z, train=True).loss)(z_e)
    difference = np.asarray(z_e, np.float64) - np.asarray(out.z_q, np.float64)
    codebook_weight = 1.0 if tiny.QUANTIZERS[case]["name"] == "vq" else 0.0
    expected = (0.25 + codebook_weight) * (difference**2).mean()
    np.testing.assert_allclose(out.loss, expected, rtol=1e-5)
    # Only the commitment term, of weight 0.25, moves the encoder.
    np.testing.assert_allclose(
        grad, 0.25 * 2 * difference / difference.size, rtol=1e-4, atol=1e-8
    )


def test_only_the_codebook_loss_moves_gradient_codes():
    module, variables, z_e = _make("vq_from_data")

    def loss(params):
        return _apply(module, {"params": params}, z_e, train=True).loss

    grad = jax.grad(loss)(variables["params"])["codes"]
    out = _apply(module, variables, z_e, train=True)
    expected = np.zeros((16, 4))
    difference = np.asarray(out.z_q - z_e).reshape(-1, 4)
    np.add.at(expected, np.asarray(out.indices).ravel(), 2 * difference / z_e.size)
    np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_evaluation_records_nothing(case):
    module, variables, z_e = _make(case)
    _, recorded = module.apply(
        variables, z_e, train=False, mutable=[base.STATISTICS, base.CANDIDATES]
    )
    assert not jax.tree.leaves(recorded)


def test_an_update_is_that_of_the_averages_and_comes_one_step_late():
    module, variables, z_e = _make("vq_ema_no_restart")
    out, recorded = module.apply(
        variables, z_e, train=True, mutable=[base.STATISTICS, base.CANDIDATES]
    )
    _, updated = module.apply(
        {**variables, **recorded}, method="update", mutable=[base.STATE]
    )
    old = variables[base.STATE]["state"]
    statistics = codebook.code_statistics(z_e.reshape(-1, 4), out.indices.ravel(), 16)
    expected = codebook.ema_update(old, statistics, 0.99)
    for found, wanted in zip(updated[base.STATE]["state"], expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(out.z_q, old.codes[out.indices])


@pytest.mark.parametrize("case", ["vq_from_data", "vq_ema"])
def test_a_start_from_data_places_codes_on_vectors(case):
    module, variables, z_e = _make(case)
    codes = module.apply(variables, jnp.arange(16).reshape(1, 4, 4), method="lookup")
    vectors = {tuple(v) for v in np.asarray(z_e).reshape(-1, 4)}
    assert {tuple(c) for c in np.asarray(codes).reshape(-1, 4)} <= vectors
