import itertools

import jax.numpy as jnp
import pytest

from vq_jax.training import loop


def _count(state, batch, key):
    return state + 1, {"train/loss": jnp.float32(batch)}


def _train(
    hooks, *, num_steps=10, start_step=0, step_fn=_count, batches=None, **kwargs
):
    return loop.train(
        step_fn,
        start_step,
        itertools.count() if batches is None else iter(batches),
        None,
        start_step=start_step,
        num_steps=num_steps,
        hooks=hooks,
        **kwargs,
    )


def _recorder(calls):
    return lambda step, state, metrics: calls.append((step, metrics["train/loss"]))


def test_hooks_come_at_multiples_and_after_the_last_step():
    calls = []
    _train([loop.Every(4, _recorder(calls))])
    assert calls == [(4, 3.0), (8, 7.0), (10, 9.0)]


def test_interval_zero_leaves_the_last_step_only():
    calls = []
    _train([loop.Every(0, _recorder(calls))])
    assert [step for step, _ in calls] == [10]


def test_a_resumed_run_keeps_the_rhythm():
    calls = []
    state, step = _train([loop.Every(4, _recorder(calls))], start_step=6)
    assert [step for step, _ in calls] == [8, 10]
    assert state == step == 10


def test_a_request_stops_after_the_step_and_calls_only_those_that_ask_for_it():
    usual, saving = [], []
    hooks = [loop.Every(4, _recorder(usual)), loop.Every(4, _recorder(saving), True)]
    state, step = _train(hooks, should_stop=lambda step: step == 6)
    assert state == step == 6
    assert [step for step, _ in usual] == [4]
    assert [step for step, _ in saving] == [4, 6]


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_a_metric_that_is_not_finite_stops_before_any_hook_sees_it(bad):
    calls = []
    losses = [0.0, 1.0, float(bad), 3.0]
    with pytest.raises(FloatingPointError, match=f"step 3: train/loss={bad}"):
        _train([loop.Every(1, _recorder(calls))], num_steps=4, batches=losses)
    assert [step for step, _ in calls] == [1, 2]
