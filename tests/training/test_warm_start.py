import functools

import jax
import numpy as np
import optax
import pytest

import vq_jax
from configs import quickstart, vqgan_stability
from vq_jax.data import pipeline
from vq_jax.errors import InputError
from vq_jax.testing import steps, tiny
from vq_jax.training.tasks.build import build_task
from vq_jax.training.warm_start import init_from_run
from vq_jax.workdirs.checkpoint import Checkpointer

TX = optax.adam(1e-2)


def _step(quantizer="vq_ema", ema_decay=0.0):
    weights = {"l2": 1.0, "quantizer": 1.0}
    return steps.vae_step(tiny.model(quantizer), TX, weights, ema_decay=ema_decay)


def _state(quantizer="vq_ema", ema_decay=0.0, seed=0):
    return steps.init_vae(_step(quantizer, ema_decay), jax.random.key(seed))


def _config(ema_decay):
    config = quickstart.get_config("smoke").copy_and_resolve_references()
    config.ema_decay = ema_decay
    return config


@pytest.fixture(scope="module")
def saved_run(tmp_path_factory):
    """`saved_run(ema_decay)`: a workdir with a checkpoint of a few steps, its state."""

    @functools.cache
    def saved(ema_decay):
        workdir = tmp_path_factory.mktemp("saved")
        return workdir, _save(workdir, ema_decay)

    return saved


def _save(workdir, ema_decay):
    config = _config(ema_decay)
    state, step = _state(ema_decay=ema_decay), jax.jit(_step(ema_decay=ema_decay))
    for i in range(3):
        state, _ = step(state, tiny.batch(8, seed=i), jax.random.key(0))
    checkpointer = Checkpointer(workdir, config, "")
    batches = pipeline.train_batches(config.data, seed=0, batch_size=8)
    checkpointer.save(3, state, batches)
    checkpointer.close()
    return state


def _equal(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("new_decay", [0.0, 0.5])
@pytest.mark.parametrize("old_decay", [0.0, 0.5])
def test_a_run_goes_on_from_what_the_other_evaluates_with(
    saved_run, old_decay, new_decay
):
    workdir, old = saved_run(old_decay)
    fresh = _state(ema_decay=new_decay, seed=1)
    warm, step = init_from_run(fresh, workdir)
    assert step == 3
    _equal(warm.inference_variables(), old.inference_variables())
    if new_decay:
        _equal(warm.params, old.params)
    assert int(warm.step) == 0
    _equal(warm.opt_state, fresh.opt_state)


def test_the_discriminator_stays_fresh(saved_run):
    workdir, old = saved_run(0.0)
    config = vqgan_stability.get_config("smoke")
    config.data.image_size = 16
    config.model = tiny.model_config()
    task = build_task(config)
    fresh = jax.jit(task.init)(jax.random.key(1))
    warm, _ = task.init_from_run(fresh, workdir)
    _equal(warm.discriminator, fresh.discriminator)
    _equal(warm.generator.params, old.params)


def test_another_model_is_an_error_that_names_what_differs(saved_run):
    workdir, _ = saved_run(0.0)
    with pytest.raises(
        InputError, match=r"params\.quantizer\.codes: here .* absent"
    ) as error:
        init_from_run(_state("vq"), workdir)
    assert "step 3" in str(error.value)
    assert f"the fields of config.model that {workdir} has" in str(error.value)
    assert "workdir." not in str(error.value)


def test_a_checkpoint_of_another_structure_is_an_error_before_orbax_sees_it(saved_run):
    workdir, _ = saved_run(0.0)
    config = _config(0.0)
    checkpointer = Checkpointer(workdir, config, "")
    batches = pipeline.train_batches(config.data, seed=0, batch_size=8)
    shapes = jax.eval_shape(lambda: _state(ema_decay=0.5))
    with pytest.raises(InputError, match=r"ema_params\.\S+: here .* there absent"):
        checkpointer.restore(shapes, batches)
    shapes = jax.eval_shape(lambda: _state().replace(params={}))
    with pytest.raises(
        InputError, match=r"params\.\S+: here absent, there \("
    ) as error:
        checkpointer.restore(shapes, batches)
    assert f"step 3 in {workdir}/checkpoints" in str(error.value)
    assert f"written by vq_jax {vq_jax.__version__}" in str(error.value)
    checkpointer.close()
