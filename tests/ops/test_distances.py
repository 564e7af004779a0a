import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vq_jax.errors import InputError
from vq_jax.ops import distances
from vq_jax.testing import reference


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 17),
    k=st.integers(1, 33),
    d=st.integers(1, 9),
    seed=st.integers(0, 2**16),
)
def test_nearest_code_is_the_definition(n, k, d, seed):
    rng = np.random.default_rng(seed)
    # Small integers: exact ties, and exact arithmetic in float32 and float64 alike.
    z = rng.integers(-3, 4, (n, d)).astype(np.float32)
    codebook = rng.integers(-3, 4, (k, d)).astype(np.float32)
    found = distances.nearest_code(jnp.asarray(z), jnp.asarray(codebook))
    expected = reference.nearest_code(z, codebook)
    np.testing.assert_array_equal(found, expected)


def test_squared_distances_are_the_definition():
    rng = np.random.default_rng(0)
    z, codebook = rng.normal(size=(7, 5)), rng.normal(size=(11, 5))
    found = distances.squared_distances(
        jnp.asarray(z, jnp.float32), jnp.asarray(codebook, jnp.float32)
    )
    expected = ((z[:, None] - codebook[None]) ** 2).sum(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_distance_to_itself_is_never_negative():
    z = jnp.asarray(np.random.default_rng(0).normal(size=(50, 64)) * 100, jnp.float32)
    assert float(distances.squared_distances(z, z).min()) >= 0.0


def test_bfloat16_inputs_are_searched_in_float32():
    rng = np.random.default_rng(0)
    z = jnp.asarray(rng.normal(size=(512, 64)), jnp.bfloat16)
    codebook = jnp.asarray(rng.normal(size=(256, 64)), jnp.bfloat16)
    wide = distances.nearest_code(z.astype(jnp.float32), codebook.astype(jnp.float32))
    np.testing.assert_array_equal(distances.nearest_code(z, codebook), wide)


def test_a_grid_of_vectors_keeps_its_shape():
    z = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4, 5)), jnp.float32)
    codebook = z.reshape(-1, 5)[::-1]
    found = distances.nearest_code(z, codebook)
    np.testing.assert_array_equal(found, np.arange(24)[::-1].reshape(2, 3, 4))


def test_another_dimension_is_an_error_with_both_shapes():
    with pytest.raises(InputError, match=r"6 channels .* code_dim=4 .*\(3, 4\)"):
        distances.nearest_code(jnp.ones((2, 6)), jnp.ones((3, 4)))
