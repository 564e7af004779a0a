import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax, xlogy

from vq_jax.ops import entropy


def _assignment_entropies(logits: np.ndarray) -> tuple[float, float]:
    """Mean of the rows' entropies, and entropy of their mean, of softmax(logits)."""
    probs = softmax(np.float64(logits), axis=1)
    mean = probs.mean(axis=0)
    return -xlogy(probs, probs).sum(axis=1).mean(), -xlogy(mean, mean).sum()


def _sign_codes(bits: int, scale: float) -> np.ndarray:
    """All 2^bits codes {-scale, +scale}^bits as rows [k, bits]."""
    return scale * (2.0 * ((np.arange(2**bits)[:, None] >> np.arange(bits)) & 1) - 1)


def _orthogonality(codebook: np.ndarray) -> float:
    """‖EEᵀ - I‖² / k² of unit codes, from the k x k matrix (2112.00384, eq. 2)."""
    codes = np.float64(codebook)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    return np.sum((codes @ codes.T - np.eye(len(codes))) ** 2) / len(codes) ** 2


def _normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def _table_entropies(z, table):
    """The plain formula, for its gradient: every logit at once."""
    log_probs = jax.nn.log_softmax(z @ table)
    probs = jnp.exp(log_probs)
    mean = probs.mean(0)
    sample = -jnp.mean(jnp.sum(probs * log_probs, axis=1))
    return sample, -jnp.sum(mean * jnp.log(mean))


# 13 rows of 5 logits: all at once; two blocks of 7, one row of padding; 13 blocks of
# one; blocks that hold less than a row.
@pytest.mark.parametrize("max_logits", [2**22, 40, 7, 3])
def test_entropies_are_the_definition_in_blocks_of_any_size(max_logits, monkeypatch):
    monkeypatch.setattr(entropy, "MAX_LOGITS", max_logits)
    z, table = _normal(0, 13, 3), _normal(1, 3, 5)
    weights = jnp.asarray([1.0, -2.0])

    def blocks(z, table):
        both = entropy.assignment_entropies(lambda rows: rows @ table, z, 5)
        return weights @ jnp.stack(both), both

    def plain(z, table):
        both = _table_entropies(z, table)
        return weights @ jnp.stack(both), both

    gradients = [
        jax.jit(jax.grad(f, argnums=(0, 1), has_aux=True))(z, table)
        for f in (blocks, plain)
    ]
    (found, values), (expected, _) = gradients
    logits = np.float64(z) @ np.float64(table)
    np.testing.assert_allclose(values, _assignment_entropies(logits), rtol=1e-5)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_rows_of_padding_do_not_count(monkeypatch):
    # 5 rows in blocks of 2: zeros would be read as even assignments by these logits.
    monkeypatch.setattr(entropy, "MAX_LOGITS", 6)
    z = jnp.full((5, 1), 100.0)
    table = jnp.asarray([[0.0, 1.0, 0.0]])
    found = entropy.assignment_entropies(lambda rows: rows @ table, z, 3)
    np.testing.assert_allclose(found, [0.0, 0.0], atol=1e-6)


def test_even_codes_and_sure_choices_are_the_two_extremes():
    # Each row is sure of a code of its own: no entropy a row, all of it in the mean.
    found = entropy.assignment_entropies(lambda rows: 1e3 * rows, jnp.eye(8), 8)
    np.testing.assert_allclose(found, [0.0, np.log(8)], rtol=1e-6)
    found = entropy.assignment_entropies(lambda rows: 0.0 * rows, jnp.eye(8), 8)
    np.testing.assert_allclose(found, [np.log(8)] * 2, rtol=1e-6)


def test_codes_without_probability_give_finite_gradients():
    z = 100.0 * _normal(0, 16, 2)
    table = 100.0 * _normal(1, 2, 50)

    def mean_entropy(z):
        return entropy.assignment_entropies(lambda rows: rows @ table, z, 50)[1]

    probs = jax.nn.softmax(z @ table).mean(0)
    assert float(probs.min()) == 0.0
    assert np.all(np.isfinite(jax.grad(mean_entropy)(z)))


@pytest.mark.parametrize("group", [1, 2, 5, 9])
def test_bits_have_the_entropies_of_their_whole_table(group):
    z = 0.1 * _normal(0, 20, 5)
    logits = 2 * 3.0 * np.float64(z) @ _sign_codes(5, 0.5).T
    sample, mean = _assignment_entropies(logits)
    found_sample, found_mean = entropy.bit_entropies(z, 0.5, 3.0, group)
    np.testing.assert_allclose(found_sample, sample, rtol=1e-5)
    if group >= 5:
        np.testing.assert_allclose(found_mean, mean, rtol=1e-5)
    else:
        parts = [
            2 * 3.0 * np.float64(part) @ _sign_codes(width, 0.5).T
            for start in range(0, 5, group)
            for part in [z[:, start : start + group]]
            for width in [part.shape[1]]
        ]
        sums = sum(_assignment_entropies(p)[1] for p in parts)
        np.testing.assert_allclose(found_mean, sums, rtol=1e-5)
        assert sums > mean  # independence raises an entropy


def test_bits_have_the_gradients_of_their_whole_table():
    z = 0.3 * _normal(0, 7, 4)
    table = 2 * 3.0 * jnp.asarray(_sign_codes(4, 0.5).T, z.dtype)

    def penalty(entropies):
        return entropies[0] - 2 * entropies[1]

    found = jax.jit(jax.grad(lambda z: penalty(entropy.bit_entropies(z, 0.5, 3.0, 4))))
    expected = jax.jit(jax.grad(lambda z: penalty(_table_entropies(z, table))))
    np.testing.assert_allclose(found(z), expected(z), rtol=1e-4, atol=1e-6)


def test_bits_that_are_certain_have_no_entropy_and_gradient_zero():
    z = jnp.asarray([[50.0, -50.0, 1e4], [-50.0, 3.0, -7.0]])
    sample = jax.value_and_grad(lambda z: entropy.bit_entropies(z, 1.0, 100.0, 2)[0])
    value, grad = jax.jit(sample)(z)
    assert value == 0.0
    np.testing.assert_array_equal(grad, np.zeros((2, 3)))


def test_bit_entropies_have_finite_gradients_where_some_bits_are_certain():
    z = jnp.asarray([[50.0, -50.0, 0.0], [1e-3, 3.0, -7.0]])
    grad = jax.jit(jax.grad(lambda z: sum(entropy.bit_entropies(z, 1.0, 100.0, 2))))(z)
    assert np.all(np.isfinite(grad))
    # H'(l) = -l σ(l) σ(-l) with l = 400 z, for the row's own entropy at z = 1e-3; the
    # mean over two rows halves it. The other column's bits are certain or even.
    own = jax.grad(lambda z: entropy.bit_entropies(z, 1.0, 100.0, 2)[0])(z)
    odds = 1 / (1 + np.exp(-0.4))
    np.testing.assert_allclose(
        own[1, 0], -0.5 * 400 * 0.4 * odds * (1 - odds), rtol=1e-4
    )


def test_orthogonality_is_the_penalty_on_the_whole_matrix():
    codes = _normal(0, 7, 3)
    expected = _orthogonality(np.asarray(codes))
    np.testing.assert_allclose(entropy.orthogonality(codes), expected, rtol=1e-5)
    np.testing.assert_allclose(entropy.orthogonality(9.0 * codes), expected, rtol=1e-5)
    np.testing.assert_allclose(entropy.orthogonality(3.0 * jnp.eye(4)), 0, atol=1e-6)
    equal = jnp.ones((4, 3))
    np.testing.assert_allclose(entropy.orthogonality(equal), 1 - 1 / 4, rtol=1e-5)


def test_orthogonality_has_a_finite_gradient_at_a_code_of_zeros():
    codes = _normal(0, 4, 3).at[1].set(0.0)
    assert np.all(np.isfinite(jax.grad(entropy.orthogonality)(codes)))
