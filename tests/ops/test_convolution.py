import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from vq_jax.ops import convolution
from vq_jax.ops.convolution import convolve

CASES = {
    "same": ((2, 6, 8, 3), (3, 3), "SAME"),
    "valid": ((2, 7, 6, 3), (3, 3), "VALID"),
    "even kernel": ((2, 6, 5, 3), (4, 4), ((1, 1), (1, 1))),
    "one-sided": ((1, 5, 5, 2), (3, 3), ((0, 1), (1, 0))),
    "wide": ((3, 4, 4, 2), (1, 5), "SAME"),
}


def _draw(shape, seed):
    values = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(values, jnp.float32)


def _gradient(x, cotangent, size, pads):
    """The definition in float64: products of shifted images, summed over positions."""
    padded = np.pad(np.float64(x), ((0, 0), *pads, (0, 0)))
    _, height, width, _ = cotangent.shape
    return np.array(
        [
            [
                np.einsum(
                    "bhwc,bhwf->cf",
                    padded[:, i : i + height, j : j + width],
                    np.float64(cotangent),
                )
                for j in range(size[1])
            ]
            for i in range(size[0])
        ]
    )


@pytest.mark.parametrize("block", [1, 16, 1_024])
@pytest.mark.parametrize("case", CASES)
def test_the_kernel_gradient_is_its_definition(case, block, monkeypatch):
    monkeypatch.setattr(convolution, "BLOCK", block)
    shape, size, padding = CASES[case]
    pads = padding
    if isinstance(padding, str):
        pads = lax.padtype_to_pads(shape[1:3], size, (1, 1), padding)
    x, kernel = _draw(shape, 0), _draw((*size, shape[-1], 4), 1)
    conv = jax.jit(lambda kernel: _apply(convolve, x, kernel, padding))
    cotangent = _draw(conv(kernel).shape, 2)
    (found,) = jax.vjp(conv, kernel)[1](cotangent)
    expected = _gradient(x, cotangent, size, pads)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_value_and_input_gradient_are_those_of_lax(strides):
    x, kernel = _draw((2, 6, 6, 3), 0), _draw((3, 3, 3, 4), 1)
    values, input_grads = [], []
    for conv in (convolve, lax.conv_general_dilated):
        value, vjp = jax.vjp(lambda x, c=conv: _apply(c, x, kernel, "SAME", strides), x)
        values.append(value)
        input_grads.extend(vjp(_draw(value.shape, 2)))
    np.testing.assert_array_equal(*values)
    np.testing.assert_array_equal(*input_grads)


def test_a_gradient_of_a_gradient_is_that_of_lax():
    # R1 differentiates a discriminator's input gradient with respect to its kernels.
    x, kernel = _draw((2, 5, 5, 2), 0), _draw((3, 3, 2, 3), 1)

    def penalty(conv):
        def value(x, kernel):
            return jnp.sum(jnp.tanh(_apply(conv, x, kernel, "SAME")))

        return lambda kernel: jnp.sum(jax.grad(value)(x, kernel) ** 2)

    found = jax.grad(penalty(convolve))(kernel)
    expected = jax.grad(penalty(lax.conv_general_dilated))(kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_module_of_bfloat16_sums_in_float32():
    # 4,096 equal products: a bfloat16 sum would stop growing at 256.
    x = jnp.ones((1, 64, 64, 1))
    module = nn.Conv(
        1, (1, 3), dtype="bfloat16", padding="VALID", conv_general_dilated=convolve
    )
    params = module.init(jax.random.key(0), x)

    def total(params):
        return jnp.sum(module.apply(params, x).astype("float32"))

    grads = jax.grad(total)(params)["params"]["kernel"]
    np.testing.assert_array_equal(grads, np.full((1, 3, 1, 1), 64 * 62))


def _apply(conv, x, kernel, padding, strides=(1, 1)):
    return conv(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.parametrize(("platform", "loops"), [("cpu", 1), ("tpu", 0), ("cuda", 0)])
def test_only_cpus_sum_over_blocks(platform, loops):
    x, kernel = _draw((2, 8, 8, 3), 0), _draw((3, 3, 3, 4), 1)

    def loss(kernel):
        return jnp.sum(_apply(convolve, x, kernel, "SAME") ** 2)

    traced = jax.jit(jax.grad(loss)).trace(kernel)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.while") == loops
