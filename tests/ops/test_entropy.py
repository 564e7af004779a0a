import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax, xlogy

from vq_jax.ops import entropy


def _normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def _entropy(probs):
    return -xlogy(probs, probs).sum(-1)


def _definition(z, table):
    probs = softmax(np.asarray(z, np.float64) @ np.asarray(table, np.float64), axis=1)
    return _entropy(probs).mean(), _entropy(probs.mean(0))


@pytest.mark.parametrize("max_logits", [2**22, 40, 7])
def test_entropies_are_the_definition_in_blocks_of_any_size(max_logits, monkeypatch):
    monkeypatch.setattr(entropy, "MAX_LOGITS", max_logits)
    z, table = _normal(0, 13, 3), _normal(1, 3, 5)

    def penalty(z, table):
        sample, mean = entropy.assignment_entropies(lambda rows: rows @ table, z, 5)
        return sample - 2 * mean

    def plain(z, table):
        probs = jax.nn.softmax(z @ table)
        sample = -jnp.mean(jnp.sum(probs * jnp.log(probs), axis=1))
        mean = probs.mean(0)
        return sample + 2 * jnp.sum(mean * jnp.log(mean))

    sample, mean = _definition(z, table)
    np.testing.assert_allclose(penalty(z, table), sample - 2 * mean, rtol=1e-5)
    found = jax.grad(penalty, argnums=(0, 1))(z, table)
    expected = jax.grad(plain, argnums=(0, 1))(z, table)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_codes_without_probability_give_finite_gradients():
    z = 100.0 * _normal(0, 16, 2)

    def mean_entropy(z):
        logits = lambda rows: rows @ _normal(1, 2, 50) * 100  # noqa: E731
        return entropy.assignment_entropies(logits, z, 50)[1]

    assert np.all(np.isfinite(jax.grad(mean_entropy)(z)))


@pytest.mark.parametrize("group", [1, 2, 5, 9])
def test_bits_have_the_entropies_of_their_whole_table(group):
    z = 0.1 * _normal(0, 20, 5)
    codes = 0.5 * (2.0 * ((np.arange(32)[:, None] >> np.arange(5)) & 1) - 1)
    sample, mean = _definition(z, 2 * 3.0 * codes.T)
    found_sample, found_mean = entropy.bit_entropies(z, 0.5, 3.0, group)
    np.testing.assert_allclose(found_sample, sample, rtol=1e-5)
    if group >= 5:
        np.testing.assert_allclose(found_mean, mean, rtol=1e-5)
    else:  # independence raises an entropy
        assert found_mean >= mean - 1e-5


def test_bit_entropies_have_finite_gradients_where_bits_are_certain():
    z = jnp.asarray([[50.0, -50.0, 0.0], [1e-3, 3.0, -7.0]])
    grad = jax.grad(lambda z: sum(entropy.bit_entropies(z, 1.0, 100.0, 2)))(z)
    assert np.all(np.isfinite(grad))


def test_orthogonality_is_the_mean_squared_cosine():
    codes = np.asarray(_normal(0, 7, 3), np.float64)
    unit = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    expected = ((unit @ unit.T) ** 2).mean() - 1 / 7
    np.testing.assert_allclose(entropy.orthogonality(_normal(0, 7, 3)), expected, 1e-5)
    np.testing.assert_allclose(entropy.orthogonality(3.0 * jnp.eye(4)), 0, atol=1e-6)
