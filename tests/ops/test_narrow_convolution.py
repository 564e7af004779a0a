import jax
import numpy as np
import pytest

from vq_jax.ops.convolution import LAYOUT
from vq_jax.ops.narrow_convolution import convolve_by_blocks, convolve_to_few
from vq_jax.testing.convolutions import assert_same_passes, convolve, draw


def _few(x, kernel):
    return convolve_to_few(x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT)


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("shape", [(2, 8, 12, 5), (1, 4, 4, 2)])
def test_value_and_gradients_are_those_of_a_convolution(shape, size):
    x, kernel = draw(shape, 0), draw((size, size, shape[-1], 3), 1)
    assert_same_passes(
        convolve_by_blocks,
        convolve,
        x,
        kernel,
        value={"rtol": 1e-5, "atol": 1e-5},
        gradients={"rtol": 1e-4, "atol": 1e-4},
    )


@pytest.mark.parametrize(
    ("platform", "size", "channels"), [("tpu", 8, 48), ("cpu", 8, 3), ("tpu", 6, 3)]
)
def test_on_tpus_blocks_that_divide_the_image_become_channels(platform, size, channels):
    x, kernel = draw((1, size, size, 16), 0), draw((3, 3, 16, 3), 1)
    lowered = jax.jit(_few).trace(x, kernel).lower(lowering_platforms=(platform,))
    (line,) = [
        line
        for line in lowered.as_text().splitlines()
        if "stablehlo.convolution" in line
    ]
    assert line.rpartition("x")[0].rpartition("x")[2] == str(channels)


def test_other_sizes_are_convolved_as_they_are():
    x, kernel = draw((1, 6, 8, 4), 0), draw((3, 3, 4, 3), 1)
    np.testing.assert_array_equal(_few(x, kernel), convolve(x, kernel))
