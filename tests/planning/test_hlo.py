"""Parsing the text of compiled programs: written by hand, and of the CPU's compiler."""

import re

import jax
import jax.numpy as jnp
import pytest

from vq_jax.planning import hlo

WRITTEN = """HloModule jit_step, is_scheduled=true, num_partitions=4

FileNames
1 "step.py"

%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[] parameter(0)
  %y = f32[] parameter(1)
  ROOT %sum = f32[] add(%x, %y)
}

%fused_computation (p: bf16[8,16]) -> bf16[16,8] {
  %p = bf16[8,16]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %t = bf16[16,8]{0,1:T(8,128)(2,1)S(1)} transpose(%p), dimensions={1,0}
}

ENTRY %main.1_spmd (a: bf16[8,16], b: (f32[3], pred[7])) -> (f32[3], bf16[16,8]) {
  %a = bf16[8,16]{1,0:T(8,128)(2,1)} parameter(0), metadata={op_name="state[\\'a\\']"}
  %b = (f32[3]{0}, /*index=1*/pred[7]{0}) parameter(1)
  %g = f32[3]{0} get-tuple-element(%b), index=0
  %r = f32[3]{0:T(128)} all-reduce(%g), to_apply=%add, backend_config={"x":"("}
  %f.1 = bf16[16,8]{0,1} fusion(%a), kind=kLoop, calls=%fused_computation, FUSION
  ROOT %out = (f32[3]{0}, bf16[16,8]{0,1}) tuple(%r, %f.1)
}
""".replace(
    "FUSION",
    'metadata={op_name="jit(step)/jvp(Net)/Conv_0/transpose" stack_frame_id=3}, '
    'backend_config={"estimated_cycles":"2946","iteration_bounds":["1"]}',
)


@pytest.fixture(scope="module")
def program():
    return hlo.parse(WRITTEN)


def test_computations_and_entry_are_found(program):
    assert list(program.computations) == ["add", "fused_computation", "main.1_spmd"]
    assert program.entry == "main.1_spmd"
    names = [*program.computations[program.entry]]
    assert names == ["a", "b", "g", "r", "f.1", "out"]


def test_an_instruction_has_its_parts(program):
    fusion = program.instructions["f.1"]
    assert (fusion.opcode, fusion.operands) == ("fusion", ["a"])
    assert fusion.called == {"calls": ["fused_computation"]}
    assert fusion.cycles == 2946
    assert fusion.op_name == "jit(step)/jvp(Net)/Conv_0/transpose"
    assert fusion.attribute("kind") == "kLoop"
    assert fusion.attribute("dimensions") is None
    assert program.operands(fusion) == [program.instructions["a"]]


def test_what_is_not_there_is_none(program):
    reduced = program.instructions["r"]
    assert (reduced.cycles, reduced.op_name) == (None, "")
    # What libtpu writes of a scatter on v6e: the largest integer, for no estimate.
    written = WRITTEN.replace("2946", "9223372036854775807")
    assert hlo.parse(written).instructions["f.1"].cycles is None
    assert reduced.called == {"to_apply": ["add"]}


@pytest.mark.parametrize(
    ("shape", "num_bytes"),
    [
        ("f32[]", 4),
        ("f32[3,5]{1,0}", 60),
        ("bf16[8,16]{1,0:T(8,128)(2,1)S(1)}", 256),
        ("pred[7]", 7),
        ("u4[3]", 2),
        ("f8e4m3fn[6]", 6),
        ("c64[2]", 16),
        ("token[]", 0),
        ("(f32[3]{0}, /*index=1*/pred[7]{0}, (s32[2]))", 27),
        ("f32[<=4]", 16),
    ],
)
def test_bytes_of_a_shape(shape, num_bytes):
    assert hlo.num_bytes(shape) == num_bytes


def test_sizes_are_those_of_the_first_array():
    assert hlo.dimensions("(bf16[8,256]{1,0}, f32[2])") == (8, 256)
    assert hlo.dimensions("f32[]") == ()


def test_what_is_no_program_is_an_error():
    with pytest.raises(ValueError, match="it has no ENTRY"):
        hlo.parse("HloModule empty\n")


def test_every_line_of_a_compiled_program_is_read():
    """Of a program with a loop, a condition, a sort and constants."""

    def step(x):
        carry, ys = jax.lax.scan(lambda c, _: (jnp.tanh(c @ x), c.sum()), x, None, 3)
        return jax.lax.cond(ys[0] > 0, jnp.sort, jnp.cos, carry) + jnp.arange(4.0)[None]

    text = jax.jit(step).lower(jnp.ones((4, 4))).compile().as_text()
    program = hlo.parse(text)
    lines = re.findall(r"^  (?:ROOT )?%?(\S+) = ", text, re.MULTILINE)
    assert [*program.instructions] == lines
    for instruction in program.instructions.values():
        called = [name for names in instruction.called.values() for name in names]
        assert set(called) <= set(program.computations)
        if instruction.opcode not in ("parameter", "constant"):
            assert set(instruction.operands) <= set(program.instructions)
