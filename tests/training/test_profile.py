import jax
import jax.numpy as jnp
import pytest
from etils import epath

from configs import quickstart
from vq_jax.errors import InputError
from vq_jax.training.profile import Traced, traced_steps
from vq_jax.training.setup import prepare


@jax.jit
def _count(state):
    return state + 1, {"train/loss": state}


@pytest.fixture
def profiler(monkeypatch):
    """What would have been traced: the calls of the profiler, in order."""
    calls = []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda f: calls.append("start"))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: calls.append("stop"))
    return calls


def _run(calls, steps, *, start_step=0, num_steps=6):
    def step(state):
        calls.append(state + 1)
        return state + 1, {}

    messages = []
    folder = epath.Path("folder")
    traced = Traced(step, steps, folder, start_step=start_step, say=messages.append)
    for state in range(start_step, num_steps):
        assert traced(state) == (state + 1, {})
    traced.close()
    return messages


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (range(2, 5), [1, "start", 2, 3, 4, "stop", 5, 6]),
        (range(1, 2), ["start", 1, "stop", 2, 3, 4, 5, 6]),
        (range(5, 14), [1, 2, 3, 4, "start", 5, 6, "stop"]),
        (range(2, 2), [1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_named_steps_are_traced_and_no_other(steps, expected, profiler):
    _run(profiler, steps)
    assert profiler == expected


def test_a_resumed_run_traces_what_is_left(profiler):
    messages = _run(profiler, range(2, 5), start_step=2)
    assert profiler == ["start", 3, 4, "stop", 5, 6]
    assert messages == ["wrote a trace of steps 3 to 4 to folder"]


def test_a_trace_has_the_number_of_each_step(tmp_path):
    folder = epath.Path(tmp_path)
    traced = Traced(_count, range(2, 4), folder, start_step=0, say=lambda text: None)
    state = jnp.int32(0)
    for _ in range(4):
        state, _ = traced(state)
    (file,) = tmp_path.rglob("*.xplane.pb")
    spaces = jax.profiler.ProfileData.from_file(str(file))
    numbers = {
        dict(event.stats)["step_num"]
        for plane in spaces.planes
        for line in plane.lines
        for event in line.events
        if event.name.startswith("train")
    }
    assert numbers == {2, 3}


def test_a_step_that_does_not_come_is_refused():
    config = quickstart.get_config("smoke")
    config.profile.update(start=21, steps=1)
    with pytest.raises(InputError, match=r"profile\.start=21 is beyond .*num_steps=20"):
        prepare(config)
    config.profile.steps = 0
    assert not traced_steps(config)
