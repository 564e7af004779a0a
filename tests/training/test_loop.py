import itertools

import jax.numpy as jnp
import pytest

from vq_jax.errors import InputError
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


def _logger(calls):
    return lambda step, metrics: calls.append((step, metrics["train/loss"]))


class _Traced:
    """Runs steps that note when they are given to the device, as all others do."""

    def __init__(self):
        self.events = []

    def step(self, state, batch, key):
        self.events.append(("step", state + 1))
        return _count(state, batch, key)

    def log(self, step, metrics):
        self.events.append(("log", step))

    def hook(self, step, state, metrics):
        self.events.append(("hook", step))
        assert state == step


def test_a_log_comes_after_the_next_step_has_begun_with_its_own_metrics():
    traced, calls = _Traced(), []
    logs = [loop.Every(2, traced.log), loop.Every(2, _logger(calls))]
    _train([], logs=logs, num_steps=5, step_fn=traced.step)
    assert traced.events == [
        *(("step", 1), ("step", 2), ("step", 3), ("log", 2)),
        *(("step", 4), ("step", 5), ("log", 4), ("log", 5)),
    ]
    assert calls == [(2, 1.0), (4, 3.0), (5, 4.0)]


def test_a_hook_has_the_state_of_its_step_after_the_log_and_before_the_next_step():
    traced = _Traced()
    hooks, logs = [loop.Every(2, traced.hook)], [loop.Every(1, traced.log)]
    _train(hooks, logs=logs, num_steps=4, step_fn=traced.step)
    assert traced.events == [
        *(("step", 1), ("step", 2), ("log", 1), ("log", 2), ("hook", 2)),
        *(("step", 3), ("step", 4), ("log", 3), ("log", 4), ("hook", 4)),
    ]


def test_the_step_that_a_run_stops_after_is_logged_where_one_is_due():
    calls = []
    logs = [loop.Every(3, _logger(calls))]
    _train([], logs=logs, should_stop=lambda step: step == 6)
    assert [step for step, _ in calls] == [3, 6]


@pytest.mark.parametrize("save_every", [1, 2, 3])
def test_no_state_is_saved_after_a_metric_that_is_not_finite_was_due(save_every):
    saved, logged = [], []
    losses = [0.0, float("nan"), 2.0, 3.0, 4.0, 5.0]
    with pytest.raises(FloatingPointError, match="step 2: "):
        _train(
            [loop.Every(save_every, _recorder(saved))],
            logs=[loop.Every(2, _logger(logged))],
            num_steps=6,
            batches=losses,
        )
    assert [step for step, _ in saved] == ([1] if save_every == 1 else [])
    assert logged == []


def test_what_was_due_is_logged_where_the_input_fails():
    calls = []

    def batches():
        yield 0.0
        yield 1.0
        raise InputError("broken image")

    with pytest.raises(InputError, match="broken image"):
        _train([], logs=[loop.Every(2, _logger(calls))], batches=batches())
    assert calls == [(2, 1.0)]


def test_metrics_stay_on_the_device_where_nothing_is_due():
    class Unread:
        def __array__(self, dtype=None, copy=None):
            raise AssertionError("fetched")

    def step(state, batch, key):
        is_due = state + 1 == 4
        return state + 1, {"train/loss": jnp.float32(0) if is_due else Unread()}

    calls = []
    _train([], logs=[loop.Every(4, _logger(calls))], num_steps=4, step_fn=step)
    assert calls == [(4, 0.0)]


def test_no_more_than_two_steps_are_with_the_device():
    waited, at_once = [], []

    class Metric:
        def __init__(self, step):
            self.step = step

        def block_until_ready(self):
            waited.append(self.step)

    def step(state, batch, key):
        at_once.append(state + 1 - max(waited, default=0))
        return state + 1, {"train/loss": Metric(state + 1)}

    _train([], step_fn=step)
    assert max(at_once) == 2
    assert waited == [*range(1, 11)]
