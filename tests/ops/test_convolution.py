import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from vq_jax.ops import convolution
from vq_jax.ops.convolution import convolve, convolve_upsampled

# shape of x, size of the kernel, strides, padding
CASES = {
    "same": ((2, 6, 8, 3), (3, 3), (1, 1), "SAME"),
    "valid": ((2, 7, 6, 3), (3, 3), (1, 1), "VALID"),
    "even kernel": ((2, 6, 5, 3), (4, 4), (1, 1), ((1, 1), (1, 1))),
    "one-sided": ((1, 5, 5, 2), (3, 3), (1, 1), ((0, 1), (1, 0))),
    "wide": ((3, 4, 4, 2), (1, 5), (1, 1), "SAME"),
    "one tap": ((2, 4, 3, 3), (1, 1), (1, 1), "SAME"),
    "halving": ((2, 8, 6, 3), (3, 3), (2, 2), ((0, 1), (0, 1))),
    "halving an odd size": ((2, 7, 5, 2), (4, 4), (2, 2), ((1, 1), (1, 1))),
    "two strides": ((1, 9, 8, 2), (3, 2), (3, 2), "VALID"),
}


def _draw(shape, seed):
    values = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(values, jnp.float32)


def _gradient(x, cotangent, size, strides, pads):
    """The definition in float64: products of shifted images, summed over positions."""
    padded = np.pad(np.float64(x), ((0, 0), *pads, (0, 0)))
    _, height, width, _ = cotangent.shape
    high, wide = height * strides[0], width * strides[1]
    return np.array(
        [
            [
                np.einsum(
                    "bhwc,bhwf->cf",
                    padded[:, i : i + high : strides[0], j : j + wide : strides[1]],
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
    shape, size, strides, padding = CASES[case]
    pads = padding
    if isinstance(padding, str):
        pads = lax.padtype_to_pads(shape[1:3], size, strides, padding)
    x, kernel = _draw(shape, 0), _draw((*size, shape[-1], 4), 1)
    conv = jax.jit(lambda kernel: _apply(convolve, x, kernel, padding, strides))
    cotangent = _draw(conv(kernel).shape, 2)
    (found,) = jax.vjp(conv, kernel)[1](cotangent)
    expected = _gradient(x, cotangent, size, strides, pads)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window_strides": (2, 2)},
        {"rhs_dilation": (2, 2)},
        {"lhs_dilation": (2, 1), "padding": ((1, 1), (1, 1))},
        {"feature_group_count": 2},
        {"padding": ((-1, 2), (1, -1))},
        {"padding": "VALID"},
        {"dimension_numbers": ("NHWC", "OIHW", "NHWC")},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_value_and_gradients_are_those_of_lax(options):
    options = {
        "window_strides": (1, 1),
        "padding": "SAME",
        "dimension_numbers": ("NHWC", "HWIO", "NHWC"),
        **options,
    }
    strides, padding = options.pop("window_strides"), options.pop("padding")
    shape = [3, 3, 4 // options.get("feature_group_count", 1), 6]
    if options["dimension_numbers"][1] == "OIHW":
        shape = [6, 4, 3, 3]
    operands = _draw((2, 6, 7, 4), 0), _draw(shape, 1)
    found, expected = (
        jax.vjp(lambda x, k, c=conv: c(x, k, strides, padding, **options), *operands)
        for conv in (convolve, lax.conv_general_dilated)
    )
    np.testing.assert_array_equal(found[0], expected[0])
    cotangent = _draw(found[0].shape, 2)
    for ours, theirs in zip(found[1](cotangent), expected[1](cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


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


def test_bfloat16_is_summed_in_float32(monkeypatch):
    # 257 rows of one product each: bfloat16 has 256 and 258, and no number between.
    monkeypatch.setattr(convolution, "BLOCK", 1)
    x = jnp.ones((1, 257, 1, 1), jnp.bfloat16)
    grad = convolution.kernel_grad(x, x, size=(1, 1), pads=((0, 0), (0, 0)))
    assert grad.dtype == jnp.float32
    np.testing.assert_array_equal(grad, np.full((1, 1, 1, 1), 257.0))


def test_a_module_of_bfloat16_has_a_float32_gradient():
    x = jnp.ones((1, 8, 8, 1))
    module = nn.Conv(2, (3, 3), dtype="bfloat16", conv_general_dilated=convolve)
    params = module.init(jax.random.key(0), x)

    def total(params):
        return jnp.sum(module.apply(params, x).astype("float32"))

    grads = jax.jit(jax.grad(total))(params)["params"]["kernel"]
    assert grads.dtype == jnp.float32
    np.testing.assert_array_equal(grads[1, 1], np.full((1, 2), 64.0))


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


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 1, 1, 2)])
def test_after_upsampling_value_and_gradients_are_those_of_repeated_pixels(shape):
    x, kernel = _draw(shape, 0), _draw((3, 3, shape[-1], 6), 1)

    def definition(x, kernel):
        repeated = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
        return _apply(lax.conv_general_dilated, repeated, kernel, "SAME")

    found, vjp = jax.vjp(
        jax.jit(lambda x, k: _apply(convolve_upsampled, x, k, "SAME")), x, kernel
    )
    expected, expected_vjp = jax.vjp(definition, x, kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    cotangent = _draw(found.shape, 2)
    for ours, theirs in zip(vjp(cotangent), expected_vjp(cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("platform", "share"), [("cpu", 4 / 9), ("tpu", 1.0)])
def test_on_cpus_upsampling_leaves_four_products_of_nine(platform, share):
    x, kernel = _draw((1, 64, 64, 2), 0), _draw((3, 3, 2, 4), 1)
    conv = jax.jit(lambda x, k: _apply(convolve_upsampled, x, k, "SAME"))
    lowered = conv.trace(x, kernel).lower(lowering_platforms=(platform,))
    flops = lowered.cost_analysis()["flops"]
    # The border is one position wide; so are two rows of additions to the kernel's.
    assert flops == pytest.approx(share * 2 * 9 * 128**2 * 2 * 4, rel=0.05)
