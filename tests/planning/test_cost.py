"""Sums over programs: one written by hand, one that the compiler for TPUs made.

`texts/v5e_dense.txt` is the gradient of a bfloat16 layer, x [1024, 1024] times a kernel
of as many values, summed over three batches in a loop, for v5e:2x2, as compiled by
libtpu with JAX 0.10.2; of what `backend_config` has, only the cycles are kept.
"""

import pathlib

import jax
import jax.numpy as jnp
import pytest

from vq_jax import sharding
from vq_jax.planning import cost, hlo

TEXTS = pathlib.Path(__file__).parent / "texts"
WRITTEN = """
%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[] parameter(0)
  %y = f32[] parameter(1)
  ROOT %sum = f32[] add(%x, %y)
}
%body (b: (s32[], f32[4,4])) -> (s32[], f32[4,4]) {
  %b = (s32[], f32[4,4]) parameter(0)
  %v = f32[4,4] get-tuple-element(%b), index=1
  %mul = f32[4,4] multiply(%v, %v), backend_config={"estimated_cycles":"7"}
  %ar = f32[4,4] all-reduce(%mul), to_apply=%add
  ROOT %out = (s32[], f32[4,4]) tuple(%i, %ar)
}
%cond (c: (s32[], f32[4,4])) -> pred[] {
  %c = (s32[], f32[4,4]) parameter(0)
  %n = s32[] constant(CONSTANT)
  %i = s32[] get-tuple-element(%c), index=0
  ROOT %lt = pred[] compare(%i, %n), direction=LT
}
%yes (t: f32[4,4]) -> f32[4,4] {
  %t = f32[4,4] parameter(0)
  ROOT %neg = f32[4,4] negate(%t), backend_config={"estimated_cycles":"100"}
}
%no (u: f32[4,4]) -> f32[4,4] {
  ROOT %u = f32[4,4] parameter(0)
}
%gathered (p: f32[4,4]) -> f32[16,4] {
  %p = f32[4,4] parameter(0)
  ROOT %ag = f32[16,4] all-gather(%p), dimensions={0}
}
ENTRY %main (a: f32[4,4], k: s32[]) -> f32[4,4] {
  %a = f32[4,4] parameter(0)
  %k = s32[] parameter(1)
  %init = (s32[], f32[4,4]) tuple(%k, %a)
  %loop = (s32[], f32[4,4]) while(%init), condition=%cond, body=%body
  %w = f32[4,4] get-tuple-element(%loop), index=1
  %choice = f32[4,4] conditional(%k, %w, %w), branch_computations={%yes, %no}
  %ags = (f32[4,4], f32[16,4]) all-gather-start(%choice), dimensions={0}
  %agd = f32[16,4] all-gather-done(%ags)
  %as = ((f32[4,4]), f32[16,4], u32[]) async-start(%choice), calls=%gathered
  %ad = f32[16,4] async-done(%as)
  %rs = f32[4,4] reduce-scatter(%agd), dimensions={0}, to_apply=%add
  %a2a = f32[4,4] all-to-all(%rs), dimensions={0}
  %cps = (f32[4,4], f32[4,4], u32[], u32[]) collective-permute-start(%a2a)
  %cpd = f32[4,4] collective-permute-done(%cps)
  %two = (f32[4,4], f32[]) all-reduce-start(%cpd, %s), to_apply=%add
  ROOT %f = f32[4,4] fusion(%cpd), calls=%yes, backend_config={"estimated_cycles":"5"}
  %s = f32[] constant(0)
}
"""


def _written(condition="3"):
    return hlo.parse(WRITTEN.replace("CONSTANT", condition))


def test_cycles_of_a_loop_count_once_a_round_and_those_in_a_fusion_not():
    """3 x 7 in the loop, 100 in a branch, 5 of the fusion."""
    assert cost.cycles(_written()) == 3 * 7 + 100 + 5


def test_collectives_are_those_of_all_kinds_in_all_forms():
    found = cost.collectives(_written())
    assert {kind: (one.count, one.num_bytes) for kind, one in found.items()} == {
        "all-reduce": (4, 3 * 64 + 64 + 4),
        "reduce-scatter": (1, 256),
        "all-gather": (2, 2 * 256),
        "all-to-all": (1, 64),
        "collective-permute": (1, 64),
    }
    assert found["all-reduce"].largest == 68


def test_a_loop_says_its_rounds_or_is_counted_as_unknown():
    known = WRITTEN.replace(
        "body=%body", 'body=%body, backend_config={"known_trip_count":{"n":"9"}}'
    )
    (loop,) = [i for i in _written().instructions.values() if i.opcode == "while"]
    assert cost.trip_count(_written("3"), loop) == 3
    program = hlo.parse(known.replace("CONSTANT", "3"))
    assert cost.trip_count(program, program.instructions["loop"]) == 9
    # Two numbers: which of them ends it is not said.
    two = hlo.parse(
        WRITTEN.replace("constant(CONSTANT)", "constant(3)\n  %m = s32[] constant(1)")
    )
    assert cost.trip_count(two, two.instructions["loop"]) is None
    assert (cost.unknown_loops(_written()), cost.unknown_loops(two)) == (0, 1)


def test_the_dearest_come_first_and_what_they_stand_in_is_not_there():
    dear = cost.dearest(_written(), 3)
    assert [(one.name, one.cycles) for one in dear] == [
        ("neg", 100),
        ("mul", 21),
        ("f", 5),
    ]
    names = [one.name for one in cost.dearest(_written(), 99)]
    assert not {"loop", "choice", "as", "a", "w"} & set(names)


@pytest.fixture(scope="module")
def dense():
    return hlo.parse((TEXTS / "v5e_dense.txt").read_text())


def test_the_estimates_of_a_program_for_tpu_are_found(dense):
    """Three rounds of one fusion with both products, and the kernel to bfloat16."""
    assert cost.cycles(dense) == 3 * 10_218 + 31_680
    first, second = cost.dearest(dense, 2)
    assert (first.layer, first.operation) == ("Net/Dense_0", "convert_element_type")
    assert (second.rounds, second.cycles) == (3, 3 * 10_218)
    assert (second.layer, second.direction) == ("Net/Dense_0", "backward")


def test_the_flops_of_a_program_for_tpu_are_those_of_its_products(dense):
    """Forward and for the kernel: a chip has a quarter of the 1024 rows of a batch."""
    one = 2 * 256 * 1024 * 1024
    assert cost.dearest(dense, 2)[1].flops == 3 * 2 * one
    assert cost.flops_of_rounds(dense) == 2 * 2 * one


def test_the_chips_sum_the_gradient_once_after_the_loop(dense):
    found = cost.collectives(dense)
    assert [*found] == ["all-reduce"]
    assert (found["all-reduce"].count, found["all-reduce"].num_bytes) == (1, 4 * 2**20)


def test_eight_devices_sum_all_gradients_and_nothing_else():
    mesh = sharding.make_mesh(data=-1, fsdp=1)
    params = {"a": jnp.zeros((64, 512)), "b": jnp.zeros((512, 128))}
    params = sharding.with_shardings(params, mesh)
    x = jax.ShapeDtypeStruct(
        (32, 64), "float32", sharding=sharding.batch_sharding(mesh)
    )

    def loss(params, x):
        return jnp.mean(jnp.tanh(x @ params["a"]) @ params["b"])

    step = jax.jit(jax.grad(loss), out_shardings=sharding.replicated(mesh))
    found = cost.collectives(hlo.parse(step.lower(params, x).compile().as_text()))
    assert [*found] == ["all-reduce"]
    assert found["all-reduce"].num_bytes == 4 * (64 * 512 + 512 * 128)


def test_an_array_that_is_gathered_counts_whole():
    mesh = sharding.make_mesh(data=-1, fsdp=1)
    x = jax.ShapeDtypeStruct(
        (32, 64), "float32", sharding=sharding.batch_sharding(mesh)
    )
    gather = jax.jit(lambda x: x, out_shardings=sharding.replicated(mesh))
    found = cost.collectives(hlo.parse(gather.lower(x).compile().as_text()))
    assert {kind: one.num_bytes for kind, one in found.items()} == {
        "all-gather": 4 * 32 * 64
    }
