"""Cross-entropy of codes against its definition in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from vq_jax.ops.cross_entropy import token_nats


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_it_is_that_of_smoothed_targets(smoothing):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 5)).astype(np.float32) * 3
    codes = rng.integers(0, 5, (2, 3), dtype=np.int32)
    targets = (1 - smoothing) * np.eye(5)[codes] + smoothing / 5
    expected = -(targets * special.log_softmax(logits.astype("f8"), axis=-1)).sum(-1)
    found = token_nats(jnp.asarray(logits), jnp.asarray(codes), smoothing)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_is_float32_and_stays_finite_for_certain_logits():
    logits = jnp.asarray([[1e4, 0.0], [1e4, 0.0]], jnp.bfloat16)
    nats = token_nats(logits, jnp.asarray([0, 1]))
    assert nats.dtype == jnp.float32
    np.testing.assert_allclose(nats, [0.0, 1e4], rtol=1e-2)


def test_its_gradient_is_softmax_minus_target():
    logits = jnp.asarray([0.5, -1.0, 2.0])
    grad = jax.grad(lambda x: token_nats(x[None], jnp.asarray([1]))[0])(logits)
    expected = special.softmax(np.asarray(logits, "f8")) - [0, 1, 0]
    np.testing.assert_allclose(grad, expected, atol=1e-6)
