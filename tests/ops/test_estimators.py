import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import estimators


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_value_is_the_code_bit_for_bit(dtype):
    z = jax.random.normal(jax.random.key(0), (100, 8), dtype)
    z_q = jax.random.normal(jax.random.key(1), (100, 8), dtype)
    out = jax.jit(estimators.straight_through)(z, z_q)
    np.testing.assert_array_equal(out, z_q)


def test_the_gradient_goes_to_z_unchanged_and_not_to_the_code():
    z, z_q = jnp.ones((3, 2)), jnp.full((3, 2), 5.0)
    weights = jnp.arange(6.0).reshape(3, 2)

    def loss(z, z_q):
        return jnp.sum(weights * estimators.straight_through(z, z_q))

    to_z, to_code = jax.grad(loss, argnums=(0, 1))(z, z_q)
    np.testing.assert_array_equal(to_z, weights)
    np.testing.assert_array_equal(to_code, np.zeros((3, 2)))
