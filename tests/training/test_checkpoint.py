"""The state of every family survives a checkpoint, and goes on as if nothing was."""

import jax
import numpy as np
import optax
import pytest
from etils import epath

from configs import quickstart
from vq_jax import InputError, sharding
from vq_jax.data import pipeline
from vq_jax.models.quantizers import base
from vq_jax.testing import quantizers, tiny
from vq_jax.training.state import TrainState
from vq_jax.workdirs import digests
from vq_jax.workdirs.checkpoint import Checkpointer

# Every kind of state that there is.
CASES = [
    "vq_resample",
    "vq_split",
    "vq_ema",
    "vq_ema_cosine",
    "cvq",
    "simvq",
    "gumbel",
    "soft",
    "product_shared",
    "grouped_residual",
    "multi_scale",
]


@pytest.fixture(scope="module")
def batches():
    config = quickstart.get_config("smoke")
    return pipeline.train_batches(config.data, seed=0, batch_size=8)


def _equal(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("case", CASES)
def test_the_state_of_a_family_survives_bit_for_bit(case, tmp_path, batches):
    module, variables, z_e = quantizers.make(case)
    step = jax.jit(lambda v, z: quantizers.update(module, v, z)[1])
    variables = step(variables, z_e)
    params = variables.get("params", {})
    state = TrainState(
        step=np.int32(1),
        params=params,
        variables={base.STATE: variables[base.STATE]},
        opt_state=optax.adam(1e-3).init(params),
        ema_params={},
    )
    checkpointer = Checkpointer(tmp_path, quickstart.get_config("smoke"), "")
    checkpointer.save(1, state, batches)
    checkpointer.wait()
    mesh = sharding.make_mesh(data=-1, fsdp=1)
    shapes = sharding.with_shardings(jax.eval_shape(lambda: state), mesh)
    restored = checkpointer.restore(shapes, batches)
    checkpointer.close()
    _equal(restored, state)
    again = jax.device_get({**restored.variables})
    if params:
        again["params"] = jax.device_get(restored.params)
    _equal(step(again, z_e), step(variables, z_e))


def test_another_number_of_processes_is_refused(tmp_path, batches):
    state = TrainState(np.int32(1), {}, {}, (), {})
    checkpointer = Checkpointer(tmp_path, quickstart.get_config("smoke"), "")
    checkpointer.save(1, state, batches)
    checkpointer.wait()
    data = tmp_path / "checkpoints" / "1" / "data"
    (data / "process_0-of-1.json").rename(data / "process_0-of-2.json")
    (data / "process_1-of-2.json").write_bytes(
        (data / "process_0-of-2.json").read_bytes()
    )
    (data / digests.FILE).unlink()
    digests.write(epath.Path(data))
    mesh = sharding.make_mesh(data=-1, fsdp=1)
    shapes = sharding.with_shardings(jax.eval_shape(lambda: state), mesh)
    with pytest.raises(InputError, match=r"saved by 2 process.*this run has 1"):
        checkpointer.restore(shapes, batches)
    checkpointer.close()


def test_the_cases_are_families_of_the_table():
    assert set(CASES) <= set(tiny.QUANTIZERS)
