"""What every quantizer promises, run over all of them and their options."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from vq_jax import sharding
from vq_jax.models import build
from vq_jax.models.quantizers import base
from vq_jax.testing import tiny
from vq_jax.testing.quantizers import apply, make, update

CODED = [name for name in tiny.QUANTIZERS if name != "none"]

# Quantising a code gives that code in all families but these:
# - fsq bounds its input, and the bound of a code is another point;
# - gumbel and ibq do not search for the nearest code;
# - a greedy residual search may find another sum, and so may one on several scales.
NOT_IDEMPOTENT = ("fsq", "gumbel", "ibq", "residual", "grouped_residual", "multi_scale")
IDEMPOTENT = [name for name in CODED if not name.startswith(NOT_IDEMPOTENT)]

# The gradient passes unchanged in all families but these, whose own tests say how.
OTHER_GRADIENT = ("fsq", "gumbel", "ibq", "soft", "bsq", "residual_bsq")
OTHER_ESTIMATOR = ("cosine", "rotation", "diveq")
UNCHANGED_GRADIENT = [
    name
    for name in tiny.QUANTIZERS
    if not name.startswith(OTHER_GRADIENT) and not name.endswith(OTHER_ESTIMATOR)
]


def _made(case, dtype="float32"):
    """An image for each of the eight devices, in all tests of a case."""
    return make(case, dtype, batch=8)


class _Passes:
    """The passes of a case, compiled once for all tests."""

    def __init__(self, case, dtype="float32"):
        module, *_ = _made(case, dtype)
        self.train = jax.jit(functools.partial(update, module))
        self.evaluate = jax.jit(functools.partial(apply, module, train=False))
        self.lookup = jax.jit(functools.partial(module.apply, method="lookup"))


_passes = functools.cache(_Passes)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_the_result_is_the_same_struct_in_training_and_evaluation(case):
    module, variables, z_e = _made(case)
    passes = _passes(case)
    results = [passes.train(variables, z_e)[0], passes.evaluate(variables, z_e)]
    for out in results:
        assert out.z_q.shape == z_e.shape
        assert out.indices.shape == (len(z_e), *module.tokens_shape(*z_e.shape[1:3]))
        assert out.indices.ndim == 1 + len(module.token_axes)
        assert out.indices.dtype == jnp.int32
        for scalar in (out.loss, *out.metrics.values()):
            assert scalar.shape == ()
            assert scalar.dtype == jnp.float32
    assert jax.tree.structure(results[0]) == jax.tree.structure(results[1])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CODED)
def test_lookup_returns_the_forward_pass_bit_for_bit(case, dtype):
    module, variables, z_e = _made(case, dtype)
    passes = _passes(case, dtype)
    results = [passes.evaluate(variables, z_e)]
    if module.hard_in_training:
        results.append(passes.train(variables, z_e)[0])
    for out, train in zip(results, (False, True), strict=False):
        looked_up = passes.lookup(variables, out.indices)
        assert out.z_q.dtype == looked_up.dtype == jnp.dtype(dtype)
        np.testing.assert_array_equal(out.z_q, looked_up)
        dropped = train and "dropout" in case
        assert out.indices.min() >= (-1 if dropped else 0)
        assert out.indices.max() < module.codebook_size


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CODED)
def test_lookup_is_the_forward_pass_in_optimised_programs(case, dtype, as_users):
    # In float32, too: a decoder may read z_q before it is rounded to bfloat16.
    module, variables, z_e = _made(case, dtype)

    def read(z_q):
        return z_q, z_q.astype(jnp.float32)

    def forward(variables, z_e, *, train):
        out = apply(module, variables, z_e, train=train)
        return out.indices, read(out.z_q)

    lookup = as_users(lambda v, i: read(module.apply(v, i, method="lookup")))
    for train in (True, False) if module.hard_in_training else (False,):
        compiled = as_users(functools.partial(forward, train=train))
        indices, expected = compiled(variables, z_e)
        for found, wanted in zip(lookup(variables, indices), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("case", CODED)
def test_a_search_in_bfloat16_models_is_that_of_float32(case):
    _, variables, z_e = _made(case, "bfloat16")
    out = _passes(case, "bfloat16").evaluate(variables, z_e)
    expected = _passes(case).evaluate(variables, z_e.astype(jnp.float32))
    np.testing.assert_array_equal(out.indices, expected.indices)
    np.testing.assert_array_equal(out.z_q, expected.z_q.astype(jnp.bfloat16))


@pytest.mark.parametrize("case", IDEMPOTENT)
def test_quantising_codes_returns_them(case):
    module, variables, z_e = _made(case)
    shape = (len(z_e), *module.tokens_shape(*z_e.shape[1:3]))
    indices = jax.random.randint(jax.random.key(0), shape, 0, module.codebook_size)
    codes = _passes(case).lookup(variables, indices)
    out = _passes(case).evaluate(variables, codes)
    np.testing.assert_allclose(out.z_q, codes, rtol=1e-6)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_the_gradient_of_an_evaluation_reaches_z_e_where_it_is_said_to(case):
    module, variables, z_e = _made(case)
    weights = jax.random.normal(jax.random.key(5), z_e.shape)

    @jax.jit
    def gradient(z):
        return jax.grad(
            lambda z: jnp.sum(weights * apply(module, variables, z, train=False).z_q)
        )(z)

    assert bool((gradient(z_e) != 0).any()) == module.passes_gradient


@pytest.mark.parametrize("case", UNCHANGED_GRADIENT)
def test_the_gradient_of_z_q_reaches_z_e_unchanged(case):
    module, variables, z_e = _made(case)
    weights = jax.random.normal(jax.random.key(5), z_e.shape)

    @jax.jit
    def gradient(z):
        return jax.grad(
            lambda z: jnp.sum(weights * apply(module, variables, z, train=True).z_q)
        )(z)

    np.testing.assert_allclose(gradient(z_e), weights, rtol=1e-6)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_evaluation_writes_no_statistics_and_no_candidates(case):
    module, variables, z_e = _made(case)
    mutable = [base.STATISTICS, base.CANDIDATES]
    evaluate = functools.partial(module.apply, train=False, mutable=mutable)
    _, written = jax.eval_shape(evaluate, variables, z_e)
    assert not jax.tree.leaves(written)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_compiled_is_uncompiled(case):
    module, variables, z_e = _made(case)
    out = apply(module, variables, z_e, train=True)
    compiled, _ = _passes(case).train(variables, z_e)
    np.testing.assert_array_equal(out.indices, compiled.indices)
    np.testing.assert_allclose(out.z_q, compiled.z_q, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out.loss, compiled.loss, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_eight_devices_compute_what_one_does(case):
    _, variables, z_e = _made(case)
    step, mesh = _passes(case).train, sharding.make_mesh(data=8, fsdp=1)
    one = step(variables, z_e)
    spread = jax.device_put(z_e, sharding.batch_sharding(mesh))
    eight = step(jax.device_put(variables, sharding.replicated(mesh)), spread)
    assert jax.tree.structure(one) == jax.tree.structure(eight)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(eight), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_an_update_keeps_the_structure_of_the_state(case):
    _, variables, z_e = _made(case)
    _, updated = _passes(case).train(variables, z_e)
    assert jax.tree.structure(updated) == jax.tree.structure(variables)
    for old, new in zip(
        jax.tree.leaves(variables), jax.tree.leaves(updated), strict=True
    ):
        assert (old.shape, old.dtype) == (new.shape, new.dtype)


@pytest.mark.parametrize("case", CODED)
def test_maps_in_and_out_serve_every_family(case):
    config = tiny.model_config(case, latent_dim=6)
    model = build.build_autoencoder(config, channels=3)
    module = model.quantizer
    z_e = jax.random.normal(jax.random.key(0), (2, 4, 4, 6))
    rngs = {"params": jax.random.key(1), "codebook": jax.random.key(2)}
    variables = module.init(rngs, z_e, train=False)
    out = jax.jit(lambda v, z: apply(module, v, z, train=False))(variables, z_e)
    assert out.z_q.shape == z_e.shape
    lookup = jax.jit(lambda v, i: module.apply(v, i, method="lookup"))
    np.testing.assert_array_equal(out.z_q, lookup(variables, out.indices))


@pytest.mark.parametrize("case", tiny.QUANTIZERS)
def test_a_configuration_read_back_from_json_builds_the_same(case):
    config = ConfigDict(tiny.QUANTIZERS[case])
    again = ConfigDict(json.loads(config.to_json()))
    assert build.build_quantizer(config, 4, "float32") == build.build_quantizer(
        again, 4, "float32"
    )
