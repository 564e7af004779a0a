"""A run that was interrupted ends where an uninterrupted one does, bit for bit."""

import functools
import random
import signal
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from vq_jax.testing.runs import logged

NUM_STEPS = 40
SHARED = (
    f"--config.num_steps={NUM_STEPS}",
    "--config.checkpoint.every=4",
    "--config.log_every=1",
    "--config.ema_decay=0.9",
    # Room to be interrupted in: accumulation scans, which is slow on a CPU.
    "--config.batch_size=16",
    "--config.optim.accumulation=2",
)
FLAGS = {
    "vae": (
        "train",
        "--config=configs/quickstart.py:smoke",
        "--config.evaluations.reconstruction.every=20",
        *SHARED,
    ),
    # An EMA codebook that restarts, LeCAM, R1, batch statistics and augmentation.
    "gan": (
        "train",
        "--config=configs/vqgan_stability.py:smoke,vq_ema",
        "--config.discriminator.norm=batch",
        "--config.adversarial.r1_weight=0.1",
        "--config.adversarial.r1_every=3",
        "--config.adversarial.augment=('color', 'cutout')",
        "--config.evaluations.reconstruction.every=20",
        *SHARED,
    ),
    "prior": (
        "train",
        "--config=configs/independent_fashion_mnist.py:smoke",
        "--config.data.channels=3",
        "--config.data.image_size=32",
        "--config.evaluations.likelihood.every=20",
        "--config.tokenizer={tokenizer}",
        *SHARED,
    ),
}


def _final_state(workdir):
    path = workdir / "checkpoints" / str(NUM_STEPS)
    item = ocp.args.Composite(state=ocp.args.StandardRestore())
    with ocp.CheckpointManager(path.parent) as manager:
        return manager.restore(NUM_STEPS, args=item).state


def _wait_for_checkpoint(process, workdir):
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        done = list((workdir / "checkpoints").glob("[0-9]*"))
        if any(path.name.isdigit() for path in done):
            return
        time.sleep(0.01)
    process.kill()
    pytest.fail(f"no checkpoint came: {process.communicate()}")


@pytest.fixture(scope="module")
def flags(trained):
    """`flags(kind)`: of a run; the tokenizer of a prior is there."""
    return lambda kind: [word.format(tokenizer=trained) for word in FLAGS[kind]]


@pytest.fixture(scope="module")
def uninterrupted(run, flags, tmp_path_factory):
    """`uninterrupted(kind)`: the workdir of a run that nothing stopped."""

    @functools.cache
    def finished(kind):
        workdir = tmp_path_factory.mktemp("uninterrupted")
        code, printed = run(*flags(kind), f"--workdir={workdir}")
        assert code == 0, printed
        return workdir

    return finished


def _assert_same(workdir, expected):
    found, wanted = _final_state(workdir), _final_state(expected)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    assert logged(workdir) == logged(expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "seed"), [("vae", 0), ("vae", 1), ("gan", 2), ("prior", 3)]
)
def test_kill_9_and_the_same_command_again(
    start, run, flags, uninterrupted, tmp_path, kind, seed
):
    process = start(*flags(kind), f"--workdir={tmp_path}")
    _wait_for_checkpoint(process, tmp_path)
    time.sleep(random.Random(seed).uniform(0.0, 0.5))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it finished before it was killed"
    code, printed = run(*flags(kind), f"--workdir={tmp_path}")
    assert code == 0, printed
    _assert_same(tmp_path, uninterrupted(kind))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(
    start, run, uninterrupted, tmp_path, number
):
    process = start(*FLAGS["vae"], f"--workdir={tmp_path}")
    _wait_for_checkpoint(process, tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 128 + number, err
    assert "Stopped and saved at step" in out
    assert "the same command goes on from there" in out
    step = int(out.split("saved at step ")[1].split(";")[0])
    assert (tmp_path / "checkpoints" / str(step)).is_dir()
    code, printed = run(*FLAGS["vae"], f"--workdir={tmp_path}")
    assert code == 0, printed
    assert f"{step} -> {NUM_STEPS}" in printed
    _assert_same(tmp_path, uninterrupted("vae"))


def test_a_finished_run_says_so_and_changes_nothing(call, trained):
    before = (trained / "metrics.jsonl").read_bytes()
    flags = ("--config=configs/quickstart.py:smoke", f"--workdir={trained}")
    code, printed = call("train", *flags)
    assert code == 0
    assert "has finished 20 steps already" in printed
    assert (trained / "metrics.jsonl").read_bytes() == before
