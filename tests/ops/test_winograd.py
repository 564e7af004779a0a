import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from vq_jax.ops.convolution import LAYOUT
from vq_jax.ops.winograd import convolve, convolve_by_tiles
from vq_jax.testing.convolutions import (
    assert_same_passes,
    assert_same_second_derivatives,
    draw,
)
from vq_jax.testing.convolutions import convolve as plain


# The last three are computed in several groups: in place, in groups of images of eight
# devices, and with other channels in the result.
@pytest.mark.parametrize(
    ("shape", "features"),
    [
        ((1, 2, 2, 1), 1),
        ((2, 4, 10, 3), 5),
        ((3, 32, 32, 128), 128),
        ((16, 32, 32, 128), 128),
        ((2, 64, 64, 64), 128),
    ],
)
def test_value_and_gradients_are_those_of_the_convolution(shape, features):
    x, kernel = draw(shape, 0), draw((3, 3, shape[-1], features), 1)
    assert_same_passes(
        convolve_by_tiles,
        plain,
        x,
        kernel,
        value={"rtol": 1e-4, "atol": 1e-4},
        gradients={"rtol": 1e-4, "atol": 1e-3},
    )


def test_it_is_as_exact_as_float32_lets_it_be():
    x, kernel = draw((1, 16, 16, 64), 0), draw((3, 3, 64, 64), 1)
    padded = np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    exact = sum(
        padded[:, i : i + 16, j : j + 16] @ np.float64(kernel[i, j])
        for i in range(3)
        for j in range(3)
    )
    error = np.abs(np.float64(convolve_by_tiles(x, kernel)) - exact)
    assert error.max() / np.abs(exact).max() < 1e-6


def test_it_can_be_differentiated_twice():
    x, kernel = draw((2, 4, 6, 2), 0), draw((3, 3, 2, 3), 1)
    assert_same_second_derivatives(
        convolve_by_tiles, plain, x, kernel, rtol=1e-3, atol=1e-3
    )


def _goes_by_tiles(
    x, kernel, platform="cpu", strides=(1, 1), padding="SAME", **options
):
    def apply(x, kernel):
        layout = {"dimension_numbers": LAYOUT, **options}
        return convolve(x, kernel, strides, padding, **layout)

    traced = jax.jit(apply).trace(x, kernel)
    return "convolution" not in traced.lower(lowering_platforms=(platform,)).as_text()


IMAGES, KERNEL = jnp.zeros((16, 8, 8, 64)), jnp.zeros((3, 3, 64, 64))


def test_wide_layers_go_by_tiles_on_cpus():
    assert _goes_by_tiles(IMAGES, KERNEL)


@pytest.mark.parametrize(
    "arguments",
    [
        {"platform": "tpu"},
        {"platform": "cuda"},
        {"strides": (2, 2)},
        {"padding": "VALID"},
        {"padding": ((1, 1), (1, 1))},
        {"rhs_dilation": (2, 2)},
        {"kernel": KERNEL[:, :, :32].repeat(2, 3), "feature_group_count": 2},
        {"batch_group_count": 2},
        {"dimension_numbers": ("NHWC", "HWOI", "NHWC")},
        {"kernel": KERNEL[:1, :1]},
        {"kernel": KERNEL[..., :32]},
        {"x": IMAGES[..., :32], "kernel": KERNEL[:, :, :32]},
        {"x": IMAGES[:, :7]},
        {"x": IMAGES[:, :, :7]},
        {"x": IMAGES[:, :2]},
        {"x": jax.ShapeDtypeStruct((1, 258, 256, 64), "float32")},
        {"x": IMAGES.astype("bfloat16"), "kernel": KERNEL.astype("bfloat16")},
    ],
    ids=",".join,
)
def test_others_are_left_to_xla(arguments):
    assert not _goes_by_tiles(**{"x": IMAGES, "kernel": KERNEL, **arguments})


def test_a_tile_takes_four_products_of_nine():
    lowered = jax.jit(convolve_by_tiles).lower(IMAGES, KERNEL)
    taps = 9 * 2 * IMAGES.size * 64
    assert lowered.cost_analysis()["flops"] == pytest.approx(taps * 4 / 9, rel=0.15)


@pytest.mark.parametrize("batch", [16, 12, 4])
def test_devices_keep_their_own_images(batch):
    devices = jax.devices() if batch == 16 else jax.devices()[:4]
    by_batch = NamedSharding(Mesh(devices, "batch"), PartitionSpec("batch"))
    x = jax.device_put(draw((batch, 32, 32, 128), 0), by_batch)
    kernel = jax.device_put(
        jnp.zeros((3, 3, 128, 128)), NamedSharding(by_batch.mesh, PartitionSpec())
    )

    def passes(x, kernel):
        y, vjp = jax.vjp(convolve_by_tiles, x, kernel)
        return y, *vjp(y)

    program = jax.jit(passes).lower(x, kernel).compile().as_text()
    assert " all-gather" not in program
    assert " all-to-all" not in program
    assert " collective-permute" not in program
    # That of the kernel's gradient.
    assert program.count(" all-reduce(") == 1


def test_a_flax_convolution_takes_it():
    x = draw((8, 8, 8, 64), 0)
    module = nn.Conv(64, (3, 3))
    tiles = nn.Conv(64, (3, 3), conv_general_dilated=convolve)
    params = module.init(jax.random.key(0), x)
    np.testing.assert_allclose(
        tiles.apply(params, x), module.apply(params, x), rtol=1e-4, atol=1e-5
    )
