import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from vq_jax.ops.convolution import (
    LAYOUT,
    convolve_upsampled,
    upsampled_at_once,
    upsampled_by_phases,
)
from vq_jax.testing.convolutions import (
    assert_same_passes,
    assert_same_second_derivatives,
    draw,
)


def _apply(x, kernel):
    return convolve_upsampled(x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT)


def _definition(x, kernel):
    repeated = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
    return lax.conv_general_dilated(
        repeated, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT
    )


@pytest.mark.parametrize("form", [_apply, upsampled_by_phases, upsampled_at_once])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 1, 1, 2)])
def test_value_and_gradients_are_those_of_repeated_pixels(shape, form):
    x, kernel = draw(shape, 0), draw((3, 3, shape[-1], 6), 1)
    assert_same_passes(
        jax.jit(form),
        _definition,
        x,
        kernel,
        value={"rtol": 1e-5, "atol": 1e-5},
        gradients={"rtol": 1e-4, "atol": 1e-4},
    )


def test_a_module_of_bfloat16_has_a_float32_gradient():
    x = jnp.ones((1, 8, 8, 1))
    module = nn.Conv(
        2, (3, 3), dtype="bfloat16", conv_general_dilated=convolve_upsampled
    )
    params = module.init(jax.random.key(0), x)

    def total(params):
        return jnp.sum(module.apply(params, x).astype("float32"))

    grads = jax.jit(jax.grad(total))(params)["params"]["kernel"]
    assert grads.dtype == jnp.float32
    np.testing.assert_array_equal(grads[1, 1], np.full((1, 2), 256.0))


def test_at_once_it_can_be_differentiated_twice():
    x, kernel = draw((1, 3, 2, 2), 0), draw((3, 3, 2, 2), 1)
    assert_same_second_derivatives(upsampled_at_once, _definition, x, kernel, rtol=1e-4)


# Repeated pixels take 9 products, their gradients 2 x 9.
@pytest.mark.parametrize(
    ("platform", "products"), [("cpu", 4), ("tpu", 4), ("cuda", 9)]
)
def test_four_products_of_nine_forward_and_backward(platform, products):
    x, kernel = draw((1, 64, 64, 2), 0), draw((3, 3, 2, 4), 1)

    def passes(x, kernel, cotangent):
        value, vjp = jax.vjp(_apply, x, kernel)
        return value, vjp(cotangent)

    traced = jax.jit(passes).trace(x, kernel, draw((1, 128, 128, 4), 2))
    lowered = traced.lower(lowering_platforms=(platform,))
    # Products beyond the border, which the compiler doesn't count, and sums of taps.
    assert lowered.cost_analysis()["flops"] == pytest.approx(
        3 * products * 2 * 128**2 * 2 * 4, rel=0.05
    )
