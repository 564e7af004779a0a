import jax
import jax.numpy as jnp
import numpy as np

from vq_jax.ops import attention


def _definition(queries, keys, values, mask):
    queries, keys, values = (np.float64(x) for x in (queries, keys, values))
    logits = queries @ keys.swapaxes(-1, -2) / np.sqrt(queries.shape[-1])
    weights = np.exp(logits) * mask
    return weights / weights.sum(-1, keepdims=True) @ values


def _inputs(dtype="float32"):
    keys = jax.random.split(jax.random.key(0), 3)
    lengths = (2, 5, 5)
    return [
        jax.random.normal(key, (2, 3, length, 4), dtype)
        for key, length in zip(keys, lengths, strict=True)
    ]


def test_attention_is_its_definition():
    queries, keys, values = _inputs()
    mask = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 0, 0]], bool)
    found = attention.attend(queries, keys, values, jnp.asarray(mask))
    expected = _definition(queries, keys, values, mask)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_without_a_mask_all_keys_are_seen():
    queries, keys, values = _inputs()
    found = attention.attend(queries, keys, values)
    expected = _definition(queries, keys, values, np.ones((2, 5)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_softmax_of_bfloat16_is_float32():
    """Logits of 256 and 257 are one number in bfloat16 products, not in float32."""
    queries = jnp.ones((1, 1, 1, 1), jnp.bfloat16)
    keys = jnp.asarray([256.0, 1.0], jnp.bfloat16).reshape(1, 1, 2, 1)
    keys = jnp.concatenate([keys, jnp.ones_like(keys)], axis=-1) * jnp.sqrt(2.0)
    queries = jnp.concatenate([queries, queries], axis=-1)
    values = jnp.asarray([0.0, 1.0], jnp.bfloat16).reshape(1, 1, 2, 1)
    values = jnp.concatenate([values, values], axis=-1)
    found = attention.attend(queries, keys.astype(jnp.bfloat16), values)
    assert found.dtype == jnp.bfloat16
    assert np.all(np.float32(found) < 1e-3)
