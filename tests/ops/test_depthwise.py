import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from vq_jax.ops import depthwise

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (1, 2)])
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_it_is_the_grouped_convolution(size, kernel_size, stride):
    x = jnp.asarray(RNG.normal(size=(2, *size, 6)), jnp.float32)
    kernel = jnp.asarray(RNG.normal(size=(kernel_size, kernel_size, 6)), jnp.float32)
    wanted = lax.conv_general_dilated(
        x,
        kernel[:, :, None, :],
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=6,
    )
    found = jax.jit(depthwise.convolve, static_argnums=2)(x, kernel, stride)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
