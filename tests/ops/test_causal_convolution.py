"""Windows of the past of a grid."""

import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.ops import causal_convolution, resample


@pytest.mark.parametrize("height", [2, 3, 5])
def test_windows_times_the_kernel_as_defined(height):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, height, 6, 3)).astype(np.float32)
    kernel = rng.normal(size=(2, 3, 3, 4)).astype(np.float32)
    found = causal_convolution.convolve_windows(jnp.asarray(x), jnp.asarray(kernel))
    assert found.shape == (2, height - 1, 4, 4)
    for i in range(height - 1):
        for j in range(4):
            window = x[:, i : i + 2, j : j + 3].astype(np.float64)
            expected = np.einsum("bijc,ijcf->bf", window, kernel)
            np.testing.assert_allclose(found[:, i, j], expected, atol=1e-5)


def test_shifts_move_by_one_and_begin_with_zeros():
    x = jnp.arange(1.0, 13.0).reshape(1, 3, 4, 1)
    down = causal_convolution.shift_down(x)[0, :, :, 0]
    right = causal_convolution.shift_right(x)[0, :, :, 0]
    np.testing.assert_array_equal(down, [[0] * 4, [1, 2, 3, 4], [5, 6, 7, 8]])
    np.testing.assert_array_equal(right, [[0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11]])


def test_nearest_repeats_where_sizes_are_multiples_and_takes_all_entries():
    np.testing.assert_array_equal(resample.nearest(6, 3), [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(resample.nearest(5, 3), [0, 0, 1, 1, 2])
    np.testing.assert_array_equal(resample.nearest(3, 3), [0, 1, 2])
