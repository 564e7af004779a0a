"""Flops of matrix products and convolutions in the text of a program. Pure arithmetic.

The compiler counts what stands in a loop once; this says what one round of it has.
"""

import dataclasses
import math
import re

import numpy as np

from vq_jax.planning.hlo import Instruction, Program, dimensions

PRODUCTS = ("convolution", "dot")


def flops(instruction: Instruction, program: Program) -> int:
    """Multiplications and additions of a product; 0 of all else.

    Products with the zeros of padding and of dilation are not counted, as the
    compiler's own count has it.
    """
    if instruction.opcode == "dot":
        return _dot(instruction, program)
    if instruction.opcode == "convolution":
        return _convolution(instruction, program)
    return 0


def _dot(instruction: Instruction, program: Program) -> int:
    left = dimensions(program.operands(instruction)[0].shape)
    axes = instruction.attribute("lhs_contracting_dims") or ""
    contracted = math.prod(left[int(axis)] for axis in re.findall(r"\d+", axes))
    return 2 * math.prod(dimensions(instruction.shape)) * contracted


def _convolution(instruction: Instruction, program: Program) -> int:
    image, kernel = (dimensions(o.shape) for o in program.operands(instruction)[:2])
    output = dimensions(instruction.shape)
    layouts = re.split(r"_|->", instruction.attribute("dim_labels"))
    of_image, of_kernel, of_output = layouts
    total = 2 * kernel[of_kernel.index("i")]
    total *= output[of_output.index("b")] * output[of_output.index("f")]
    for axis, window in enumerate(_windows(instruction, len(output) - 2)):
        label = str(axis)
        total *= window.products(
            image[of_image.index(label)], output[of_output.index(label)]
        )
    return total


@dataclasses.dataclass(frozen=True)
class _Window:
    """How a convolution goes along one axis."""

    size: int
    stride: int
    low: int  # padding before the first position
    image_dilation: int
    kernel_dilation: int

    def products(self, image: int, output: int) -> int:
        """Pairs of a position of the output and one of the kernel that meet a value."""
        place = (
            np.arange(output)[:, None] * self.stride
            + np.arange(self.size)[None] * self.kernel_dilation
            - self.low
        )
        inside = (place >= 0) & (place <= (image - 1) * self.image_dilation)
        return int(np.sum(inside & (place % self.image_dilation == 0)))


def _windows(instruction: Instruction, axes: int) -> list[_Window]:
    text = (instruction.attribute("window") or "").strip("{}")
    fields = dict(word.split("=") for word in text.split())

    def numbers(name: str, default: str) -> list[int]:
        words = fields[name].split("x") if name in fields else [default] * axes
        return [int(word.split("_")[0]) for word in words]

    return [
        _Window(*values)
        for values in zip(
            numbers("size", "1"),
            numbers("stride", "1"),
            numbers("pad", "0_0"),
            numbers("lhs_dilate", "1"),
            numbers("rhs_dilate", "1"),
            strict=True,
        )
    ]
