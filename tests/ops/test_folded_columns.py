import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from vq_jax.models.discriminators import stylegan
from vq_jax.models.layers.blur import blur_pool
from vq_jax.ops import folded_columns
from vq_jax.testing.convolutions import assert_same_passes, convolve, draw


def _folded_convolve(x, kernel):
    x = folded_columns.fold(x)
    return folded_columns.unfold(folded_columns.convolve(x, kernel))


def _assert_same(form, definition, *args):
    tolerances = {"rtol": 1e-4, "atol": 1e-4}
    assert_same_passes(form, definition, *args, value=tolerances, gradients=tolerances)


@pytest.mark.parametrize("width", [2, 6])
def test_a_folded_convolution_is_the_convolution(width):
    x, kernel = draw((2, 5, width, 3), 0), draw((3, 3, 3, 4), 1)
    _assert_same(_folded_convolve, convolve, x, kernel)


@pytest.mark.parametrize(("height", "width"), [(2, 4), (6, 8)])
def test_a_folded_blur_is_the_blur(height, width):
    def folded(x):
        return folded_columns.blur_pool(folded_columns.fold(x))

    _assert_same(folded, blur_pool, draw((2, height, width, 3), 0))


@pytest.mark.parametrize(("height", "width"), [(2, 4), (6, 8), (7, 6)])
def test_a_folded_max_pooling_is_the_max_pooling(height, width):
    def folded(x):
        return folded_columns.max_pool(folded_columns.fold(x))

    def definition(x):
        return nn.max_pool(x, (2, 2), strides=(2, 2))

    _assert_same(folded, definition, draw((2, height, width, 3), 0))


def test_equal_pixels_have_the_gradient_that_max_pooling_gives_them():
    def total(x):
        return jnp.sum(folded_columns.max_pool(folded_columns.fold(x)))

    def total_of_definition(x):
        return jnp.sum(nn.max_pool(x, (2, 2), strides=(2, 2)))

    flat = jnp.ones((1, 4, 4, 3))
    found, expected = jax.grad(total)(flat), jax.grad(total_of_definition)(flat)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("column", [0, 1])
def test_the_largest_of_pixels_with_nan_is_nan(column):
    x = jnp.ones((1, 2, 2, 3)).at[0, 0, column, 1].set(jnp.nan)
    found = folded_columns.max_pool(folded_columns.fold(x))
    np.testing.assert_array_equal(found[0, 0, 0], [1.0, jnp.nan, 1.0])


def test_the_discriminator_at_full_size_is_the_same_in_both_forms():
    images, weights = draw((2, 8, 8, 3), 0), draw((3, 3, 3, 4), 1)
    more, biases = draw((3, 3, 4, 4), 2), draw((2, 4), 3)
    args = (images, weights, biases[0], more, biases[1])
    _assert_same(stylegan._folded, stylegan._plain, *args)


@pytest.mark.parametrize(
    ("platform", "base_dim", "size", "folds"),
    [
        ("tpu", 4, 8, True),
        ("tpu", 128, 8, False),
        ("tpu", 4, 9, False),
        ("cpu", 4, 8, False),
    ],
)
def test_narrow_layers_of_even_images_are_folded_on_tpus(
    platform, base_dim, size, folds
):
    module = stylegan.StyleGanDiscriminator(base_dim=base_dim, multipliers=(1,))
    images = jnp.zeros((1, size, size, 3))
    params = jax.eval_shape(
        lambda key: module.init(key, images, train=True), jax.random.key(0)
    )
    apply = jax.jit(lambda params, images: module.apply(params, images, train=True))
    lowered = apply.trace(params, images).lower(lowering_platforms=(platform,))
    pairs = f"1x{size}x{size // 2}x{2 * base_dim}xf32"
    assert (pairs in lowered.as_text()) == folds
