"""Flops of products against the compiler's own count, and against loops."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.planning import cost, hlo, products


def _total(compiled):
    program = hlo.parse(compiled.as_text())
    return sum(
        products.flops(one.instruction, program) * one.rounds
        for one in cost.executed(program, inside=True)
    )


def _compile(function, *shapes):
    arguments = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
    return jax.jit(function).lower(*arguments).compile()


@pytest.mark.parametrize("size", [(3, 5, 7), (16, 16, 16)])
def test_a_matrix_product_has_two_flops_a_term(size):
    m, k, n = size
    assert _total(_compile(jnp.matmul, (m, k), (k, n))) == 2 * m * k * n


def _pairs_by_hand(image, output, size, stride, low, dilation):
    """Products with a value of the image, one by one."""
    count = 0
    for place, offset in itertools.product(range(output), range(size)):
        index = place * stride + offset - low
        count += 0 <= index <= (image - 1) * dilation and index % dilation == 0
    return count


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        ((1, 1), "SAME", (1, 1), 1),
        ((2, 2), "SAME", (1, 1), 1),
        ((1, 2), ((2, 0), (0, 3)), (1, 1), 1),
        ((1, 1), ((2, 2), (2, 2)), (2, 2), 1),
        ((1, 1), "SAME", (1, 1), 3),
    ],
)
def test_convolutions_count_no_product_with_padding(stride, padding, dilation, groups):
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            stride,
            padding,
            lhs_dilation=dilation,
            feature_group_count=groups,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    x, kernel = (2, 8, 9, 6), (3, 3, 6 // groups, 12)
    lowered = jax.jit(convolve).lower(*map(np.ones, (x, kernel)))
    program = hlo.parse(lowered.compile().as_text())
    (found,) = [
        products.flops(one, program)
        for one in program.instructions.values()
        if one.opcode == "convolution"
    ]
    output = lowered.out_info.shape
    if padding == "SAME":
        padding = jax.lax.padtype_to_pads(x[1:3], kernel[:2], stride, "SAME")
    expected = 2 * output[0] * output[3] * kernel[2]
    for axis in range(2):
        expected *= _pairs_by_hand(
            x[1 + axis],
            output[1 + axis],
            kernel[axis],
            stride[axis],
            padding[axis][0],
            dilation[axis],
        )
    assert found == expected


def test_gradients_of_a_convolution_cost_what_it_costs():
    """The sum of flops of forward pass and both gradients, as the compiler has it."""

    def loss(x, kernel):
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return jnp.sum(y * y)

    shapes = (4, 16, 16, 8), (3, 3, 8, 8)
    compiled = _compile(jax.grad(loss, argnums=(0, 1)), *shapes)
    forward = _total(_compile(loss, *shapes))
    assert _total(compiled) == 3 * forward
    counted = compiled.cost_analysis()["flops"]
    assert forward * 3 <= counted <= forward * 3 * 1.02


@pytest.mark.parametrize("rounds", [1, 5])
def test_a_loop_counts_all_its_rounds(rounds):
    def step(x):
        return jax.lax.scan(lambda c, _: (c @ x, None), x, None, rounds)[0]

    compiled = _compile(step, (8, 8))
    assert _total(compiled) == rounds * 2 * 8**3
    added = cost.flops_of_rounds(hlo.parse(compiled.as_text()))
    assert added == (rounds - 1) * 2 * 8**3
