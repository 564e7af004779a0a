"""Two processes on this machine, of two simulated devices each, train one run."""

import signal
import socket
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from PIL import Image

from vq_jax.testing.codes import files
from vq_jax.testing.runs import logged

NUM_STEPS = 200  # room to be stopped in
SMOKE = "--config=configs/quickstart.py:smoke"
FLAGS = (
    SMOKE,
    f"--config.num_steps={NUM_STEPS}",
    "--config.log_every=10",
    "--config.checkpoint.every=100",
    "--config.evaluations.reconstruction.every=100",
)
XLA_FLAGS = (
    "--xla_force_host_platform_device_count=2 "
    "--xla_cpu_collective_call_terminate_timeout_seconds=600"
)


@pytest.fixture(scope="module")
def launch(start):
    """`launch("--flag=…")`: the processes, with the environment that Slurm gives."""

    def launched(*flags, command="train"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return [
            start(
                command,
                "--distributed",
                *flags,
                XLA_FLAGS=XLA_FLAGS,
                JAX_COORDINATOR_ADDRESS=f"127.0.0.1:{port}",
                JAX_DISABLE_MOST_OPTIMIZATIONS="1",
                # Only the first would write to it, and the second compile alone.
                JAX_ENABLE_COMPILATION_CACHE="0",
                SLURM_JOB_ID="1",
                SLURM_STEP_NODELIST="localhost",
                SLURM_NTASKS="2",
                SLURM_PROCID=str(rank),
                SLURM_LOCALID=str(rank),
            )
            for rank in range(2)
        ]

    return launched


def _finish(processes):
    """Exit codes and outputs, in the order of the processes."""
    printed = ["".join(p.communicate(timeout=600)) for p in processes]
    return [p.returncode for p in processes], printed


def _wait_for_steps(process):
    for line in process.stdout:
        if line.startswith("step "):
            return


def _final_state(workdir):
    path = workdir / "checkpoints" / str(NUM_STEPS) / "state"
    handler = ocp.PyTreeCheckpointHandler()
    as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
    restore_args = jax.tree.map(lambda _: as_numpy, handler.metadata(path).tree)
    return handler.restore(path, args=ocp.args.PyTreeRestore(restore_args=restore_args))


@pytest.mark.slow
def test_a_signal_to_one_saves_in_all_and_they_go_on_to_the_same_bits(launch, tmp_path):
    codes, printed = _finish(launch(*FLAGS, f"--workdir={tmp_path}/whole"))
    assert codes == [0, 0], printed
    assert f"Finished {NUM_STEPS} steps" in printed[0]
    assert "step 10/" not in printed[1], "only the first process reports"

    stopped = (*FLAGS, f"--workdir={tmp_path}/stopped")
    processes = launch(*stopped)
    _wait_for_steps(processes[0])
    processes[1].send_signal(signal.SIGTERM)
    codes, printed = _finish(processes)
    assert codes == [128 + signal.SIGTERM] * 2, printed
    step = printed[0].split("Stopped and saved at step ")[1].split(";")[0]
    assert (tmp_path / "stopped" / "checkpoints" / step).is_dir()
    codes, printed = _finish(launch(*stopped))
    assert codes == [0, 0], printed
    assert f"{step} -> {NUM_STEPS}" in printed[0]

    found, wanted = (_final_state(tmp_path / name) for name in ("stopped", "whole"))
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    assert logged(tmp_path / "stopped") == logged(tmp_path / "whole")


@pytest.mark.slow
def test_an_error_of_one_ends_all_with_its_message_and_code(launch, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    for i in range(16):
        Image.fromarray(noise).save(tmp_path / f"{i}.jpg")
    broken = tmp_path / "7.jpg"
    broken.write_bytes(broken.read_bytes()[:1000])
    source = (
        f"--config.data.source=folder:{tmp_path}",
        "--config.data.train_split=all",
    )
    codes, printed = _finish(
        launch(SMOKE, *source, f"--workdir={tmp_path}/run", "--config.batch_size=4")
    )
    assert codes == [2, 2], printed
    assert all("7.jpg can't be decoded" in text for text in printed), printed
    named = [f"error: process {rank} failed: " in "".join(printed) for rank in range(2)]
    assert sorted(named) == [False, True], printed


@pytest.mark.slow
def test_codes_of_processes_are_those_of_one(launch, run, trained, tmp_path):
    flags = (f"--workdir={trained}", "--shard_size=100", "--crops=2", "--flip")

    def tokenize(name):
        return launch(*flags, f"--out={tmp_path}/{name}", command="tokenize")

    code, printed = run("tokenize", *flags, f"--out={tmp_path}/one")
    assert code == 0, printed
    processes = tokenize("killed")
    while not any((tmp_path / "killed").glob("shard-*")):
        time.sleep(0.01)
    for process in processes:
        process.send_signal(signal.SIGKILL)
    _finish(processes)
    assert "codes.json" not in files(tmp_path / "killed")
    codes, printed = _finish(tokenize("killed"))
    assert codes == [0, 0], printed
    assert "wrote the codes of" in printed[0]
    assert "wrote the codes of" not in printed[1], "only the first process reports"
    found, expected = files(tmp_path / "killed"), files(tmp_path / "one")
    assert found.keys() == expected.keys()
    # Some processors round sums of other batches differently: docs/codes.md.
    unlike = [name for name in found if found[name] != expected[name]]
    assert all(name.endswith("codes.npy") for name in unlike)
    for name in unlike:
        ours, theirs = (np.frombuffer(one[name], np.uint8) for one in (found, expected))
        assert np.mean(ours != theirs) < 1e-3


@pytest.mark.slow
def test_other_settings_of_codes_end_all_processes(launch, run, trained, tmp_path):
    flags = (f"--workdir={trained}", f"--out={tmp_path}", "--shard_size=100")
    assert run("tokenize", *flags)[0] == 0
    codes, printed = _finish(launch(*flags, "--flip", command="tokenize"))
    assert codes == [2, 2], printed
    assert all("num_views=1 (now 2)" in text for text in printed)


@pytest.mark.slow
def test_a_prior_learns_in_two_processes_what_it_learns_in_one(
    launch, start, trained, tmp_path
):
    """Its tokenizer, an array of one device in each, is on the mesh of both."""
    flags = (
        "--config=configs/ar_photos.py:smoke",
        f"--config.tokenizer={trained}",
        "--config.num_steps=6",
        "--config.log_every=3",
    )
    codes, printed = _finish(launch(*flags, f"--workdir={tmp_path}/two"))
    assert codes == [0, 0], printed
    alone = start("train", *flags, f"--workdir={tmp_path}/one")
    codes, printed = _finish([alone])
    assert codes == [0], printed
    # Adam's first updates divide gradients that are next to nothing by themselves, so
    # parameters differ; the losses do not.
    names = (
        "train/loss",
        "eval/test/nats_per_token",
        "eval/test/order0_nats_per_token",
    )
    found, wanted = (
        {
            (line["step"], name): line[name]
            for line in logged(tmp_path / run)
            for name in names
            if name in line
        }
        for run in ("two", "one")
    )
    assert {name for _, name in found} == set(names)
    assert found == pytest.approx(wanted, rel=1e-3)
