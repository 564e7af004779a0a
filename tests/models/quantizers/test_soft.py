"""Families with soft assignments: Gumbel-softmax, soft quantisation, IBQ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from vq_jax.models.quantizers import base
from vq_jax.testing.quantizers import apply, make, update


def _z_and_codes(variables, z_e):
    codes = np.asarray(variables["params"]["codes"], np.float64)
    return np.asarray(z_e, np.float64), codes


def _gumbel_logits(variables, z):
    kernel = np.asarray(variables["params"]["logits"]["kernel"], np.float64)
    return z @ kernel + np.asarray(variables["params"]["logits"]["bias"], np.float64)


def test_the_kl_of_gumbel_is_to_the_uniform_distribution():
    module, variables, z_e = make("gumbel")
    z, _ = _z_and_codes(variables, z_e)
    logits = _gumbel_logits(variables, z)
    log_q = logits - logsumexp(logits, axis=-1, keepdims=True)
    kl = (np.exp(log_q) * (log_q + np.log(16))).sum(-1).mean()
    out = apply(module, variables, z_e, train=True)
    np.testing.assert_allclose(out.metrics["code_kl"], kl, rtol=1e-4)
    np.testing.assert_allclose(out.loss, 5e-4 * kl, rtol=1e-4)


def test_gumbel_evaluates_with_the_likeliest_code_and_no_noise():
    module, variables, z_e = make("gumbel")
    z, codes = _z_and_codes(variables, z_e)
    expected = _gumbel_logits(variables, z).argmax(-1)
    out = apply(module, variables, z_e, train=False)
    np.testing.assert_array_equal(out.indices, expected)
    np.testing.assert_allclose(out.z_q, codes[expected], rtol=1e-6)
    other = apply(module, variables, z_e, train=False, seed=99)
    np.testing.assert_array_equal(out.z_q, other.z_q)


def test_gumbel_indices_are_samples_of_the_distribution():
    module, variables, _ = make("gumbel")
    z_e = jnp.tile(jnp.asarray([0.3, -1.0, 0.5, 0.2]), (64, 8, 8, 1))
    out = jax.jit(lambda z: apply(module, variables, z, train=True))(z_e)
    shares = np.bincount(np.asarray(out.indices).ravel(), minlength=16) / 4096
    expected = softmax(_gumbel_logits(variables, np.asarray(z_e[0, 0, 0])))
    # Four standard deviations of a share of 4096 draws.
    np.testing.assert_allclose(shares, expected, atol=4 * (0.25 / 4096) ** 0.5)


def test_a_hard_forward_has_the_gradient_of_the_relaxed_sample():
    hard, variables, z_e = make("gumbel_hard")
    soft, _, _ = make("gumbel")
    weights = jax.random.normal(jax.random.key(5), z_e.shape)

    def through(module):
        def fn(z):
            return jnp.sum(weights * apply(module, variables, z, train=True).z_q)

        return jax.grad(fn)(z_e)

    np.testing.assert_allclose(through(hard), through(soft), rtol=1e-4, atol=1e-6)


def test_the_temperature_falls_with_the_updates_and_reaches_its_end():
    module, variables, z_e = make("gumbel")
    temperatures = []
    for _ in range(6):
        out, variables = update(module, variables, z_e)
        temperatures.append(float(out.metrics["temperature"]))
    expected = [1.0, 0.8627, 0.53125, 0.1998, 0.0625, 0.0625]  # cosine over 4 steps
    np.testing.assert_allclose(temperatures, expected, atol=1e-4)
    assert variables[base.STATE]["step"] == 6


def test_soft_quantisation_is_the_softmax_average_and_hardens_with_temperature():
    module, variables, z_e = make("soft", temperature=0.7)
    z, codes = _z_and_codes(variables, z_e)
    squared = ((z[..., None, :] - codes) ** 2).sum(-1)
    out = apply(module, variables, z_e, train=True)
    np.testing.assert_allclose(
        out.z_q, softmax(-squared / 0.7, axis=-1) @ codes, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_array_equal(out.indices, squared.argmin(-1))
    cold, _, _ = make("soft", temperature=1e-4)
    np.testing.assert_allclose(
        apply(cold, variables, z_e, train=True).z_q,
        apply(module, variables, z_e, train=False).z_q,
        atol=1e-3,
    )


def test_index_backpropagation_is_its_definition():
    module, variables, z_e = make("ibq")
    z, codes = _z_and_codes(variables, z_e)
    logits = z @ codes.T
    chosen = codes[logits.argmax(-1)]
    probs = softmax(logits / 0.01, axis=-1).reshape(-1, 16)
    mean = probs.mean(0)
    entropies = -(probs * np.log(np.maximum(probs, 1e-300))).sum(1).mean()
    entropies += (mean * np.log(mean)).sum()
    expected = 2.25 * ((chosen - z) ** 2).mean() + 0.05 * entropies
    out = apply(module, variables, z_e, train=True)
    np.testing.assert_array_equal(out.indices, logits.argmax(-1))
    np.testing.assert_allclose(out.loss, expected, rtol=1e-4)


def test_all_codes_of_ibq_get_a_gradient_from_z_q():
    module, variables, z_e = make("ibq")
    weights = jax.random.normal(jax.random.key(5), z_e.shape)

    def through(params, z):
        return jnp.sum(weights * apply(module, {"params": params}, z, train=True).z_q)

    def definition(params, z):
        logits = z @ params["codes"].T
        soft = jax.nn.softmax(logits)
        hard = jax.nn.one_hot(logits.argmax(-1), 16)
        assignment = hard - jax.lax.stop_gradient(soft) + soft
        return jnp.sum(weights * (assignment @ params["codes"]))

    found = jax.grad(through, argnums=(0, 1))(variables["params"], z_e)
    expected = jax.grad(definition, argnums=(0, 1))(variables["params"], z_e)
    codes = found[0]["codes"]
    np.testing.assert_allclose(codes, expected[0]["codes"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=1e-5)
    assert np.all(np.any(np.asarray(codes) != 0, axis=1))


@pytest.mark.parametrize("case", ["gumbel", "gumbel_hard", "soft", "ibq"])
def test_the_gradient_of_z_q_moves_the_codes(case):
    module, variables, z_e = make(case)

    def through(params):
        out = apply(module, {**variables, "params": params}, z_e, train=True)
        return jnp.sum(out.z_q**2)

    codes = np.asarray(jax.grad(through)(variables["params"])["codes"])
    assert np.abs(codes).max() > 1e-3
