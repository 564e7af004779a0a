import numpy as np
import pytest

from vq_jax.ops import resample


def _area_resample(signal: np.ndarray, out_size: int) -> np.ndarray:
    """Means over [floor(i·in/out), ceil((i+1)·in/out)) of a one-dimensional signal."""
    step = len(signal) / out_size
    edges = [
        (int(np.floor(i * step)), int(np.ceil((i + 1) * step))) for i in range(out_size)
    ]
    return np.asarray([np.mean(np.float64(signal[a:b])) for a, b in edges])


SIZES = [(1, 1), (1, 7), (3, 7), (5, 5), (4, 8), (9, 4), (7, 1), (16, 5)]


@pytest.mark.parametrize(("out_size", "in_size"), SIZES)
def test_constants_stay(out_size, in_size):
    for matrix in (resample.area_matrix, resample.bicubic_matrix):
        found = matrix(out_size, in_size) @ np.ones(in_size)
        np.testing.assert_allclose(found, np.ones(out_size), rtol=1e-6)


@pytest.mark.parametrize(("out_size", "in_size"), SIZES)
def test_the_area_matrix_takes_means_over_its_windows(out_size, in_size):
    signal = np.random.default_rng(0).normal(size=in_size)
    np.testing.assert_allclose(
        resample.area_matrix(out_size, in_size) @ signal,
        _area_resample(signal, out_size),
        atol=1e-6,
    )


@pytest.mark.parametrize("size", [1, 2, 5])
def test_equal_sizes_change_nothing(size):
    for matrix in (resample.area_matrix, resample.bicubic_matrix):
        np.testing.assert_allclose(matrix(size, size), np.eye(size), atol=1e-6)


def test_bicubic_weights_are_those_of_keys_kernel_with_three_quarters():
    # Doubling puts outputs a quarter to either side of an input. The weights there are
    # -27/256, 225/256, 67/256, -9/256.
    weights = np.asarray([-27, 225, 67, -9]) / 256
    matrix = resample.bicubic_matrix(16, 8)
    np.testing.assert_allclose(matrix[7, 2:6], weights, atol=1e-7)  # at 3.25
    np.testing.assert_allclose(matrix[8, 2:6], weights[::-1], atol=1e-7)  # at 3.75
    assert not matrix[7, [0, 1, 6, 7]].any()
    # At the edge those beyond it fall on the first input: at -0.25, then 0.25.
    first = [
        [1 - weights[0], weights[0]],
        [weights[0] + weights[1], weights[2]],
    ]
    np.testing.assert_allclose(matrix[:2, :2], first, atol=1e-7)


def test_bicubic_is_symmetric_and_passes_through_its_inputs():
    matrix = resample.bicubic_matrix(15, 5)
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(matrix[1::3], np.eye(5), atol=1e-6)


def test_bicubic_keeps_the_slope_of_a_ramp_from_input_to_input():
    # Only with a = -0.5 is each output on the ramp. With -0.75 a pair of outputs that
    # lies about an input is, as a mean.
    ramp = resample.bicubic_matrix(32, 16) @ np.arange(16.0)
    pairs = ramp.reshape(16, 2).mean(axis=1)
    np.testing.assert_allclose(pairs[2:-2], np.arange(16.0)[2:-2], rtol=1e-6)
