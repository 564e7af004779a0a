"""Bad input ends in one clear line and exit code 2, before any work is done."""

import os
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from vq_jax import InputError, Tokenizer
from vq_jax.workdirs import lock

SMOKE = "--config=configs/quickstart.py:smoke"

TRAINING = {
    "unknown field": (
        ("--config.batchsize=3",),
        "config.batchsize is unknown; did you mean config.batch_size?",
    ),
    "wrong type": (("--config.batch_size=many",), "invalid literal for int()"),
    "unknown variant": (("--config=configs/quickstart.py:smok",), "variant 'smok'"),
    "no such config": (
        ("--config=configs/nothing.py",),
        "--config=configs/nothing.py: no such file",
    ),
    "unknown quantizer": (
        ("--config.model.quantizer.name=vqq",),
        "config.model.quantizer.name='vqq' is unknown; choose from",
    ),
    "size not a multiple of the stride": (
        ("--config.data.image_size=30",),
        "image size 30x30 is not a multiple of the stride 4",
    ),
    "missing data set": (
        ("--config.data.source=tfds:cifar10", "--config.data.data_dir={tmp}"),
        "data_dir='{tmp}', file_format='array_record').download_and_prepare()",
    ),
    "missing folder": (
        ("--config.data.source=folder:{tmp}/none",),
        "{tmp}/none does not exist",
    ),
    "empty folder": (
        ("--config.data.source=folder:{tmp}/empty",),
        "no images below {tmp}/empty",
    ),
    "truncated JPEG": (
        ("--config.data.source=folder:{tmp}/broken",),
        "photo.jpg can't be decoded",
    ),
    "more devices than there are": (
        ("--config.mesh.data=2", "--config.mesh.fsdp=3"),
        "mesh data=2 x fsdp=3 needs 6 devices, found 1",
    ),
    "a loss without its likelihood": (
        ("--config.losses.nll=1.0",),
        "config.losses.nll=1.0 needs a likelihood",
    ),
}


@pytest.fixture(scope="module")
def tmp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for name in ("photo.jpg", "another.jpg"):
        Image.fromarray(noise).save(folder / "broken" / name)
    photo = folder / "broken" / "photo.jpg"
    photo.write_bytes(photo.read_bytes()[:1000])
    return folder


@pytest.mark.parametrize("case", TRAINING)
def test_training_refuses(case, run, call, tmp, tmp_path):
    flags, message = TRAINING[case]
    train = run if "devices" in case else call  # a process of its own has one device
    flags = [flag.format(tmp=tmp) for flag in flags]
    if not any(flag.startswith("--config=") for flag in flags):
        flags.insert(0, SMOKE)
    code, printed = train("train", *flags, f"--workdir={tmp_path}/run")
    assert code == 2, printed
    assert "Traceback" not in printed
    assert "error: " in printed
    assert message.format(tmp=tmp) in printed
    # A broken image is met on the way, and what was saved until then is kept.
    saved = list(tmp_path.glob("run/checkpoints/[0-9]*"))
    assert case == "truncated JPEG" or not saved


@pytest.mark.parametrize(
    ("section", "field", "near"),
    [("", "num_stpes", "num_steps"), ("optim.", "learning_rat", "learning_rate")],
)
def test_a_misspelt_field_of_a_file(call, tmp_path, section, field, near):
    (tmp_path / "own.py").write_text(
        "from configs.parts.defaults import defaults\n\n"
        "def get_config(variant=''):\n"
        "    config = defaults()\n"
        f"    config.{section}{field} = 5\n"
        "    return config\n"
    )
    flags = (f"--config={tmp_path}/own.py", f"--workdir={tmp_path}/run")
    code, printed = call("train", *flags)
    assert code == 2, printed
    expected = (
        f"config.{section}{field} is unknown; did you mean config.{section}{near}?"
    )
    assert expected in printed
    assert not (tmp_path / "run").exists()


def test_a_workdir_that_cannot_be_written(call, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, printed = call("train", SMOKE, f"--workdir={tmp_path}/file/run")
    assert code == 2, printed
    assert f"--workdir={tmp_path}/file/run cannot be written to" in printed


def test_a_workdir_that_another_run_is_in(call, tmp_path):
    with lock.locked(tmp_path):
        code, printed = call("train", SMOKE, f"--workdir={tmp_path}")
    assert code == 2, printed
    assert f"error: --workdir={tmp_path} is in use by process {os.getpid()}" in printed
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_no_job_to_join(call, monkeypatch, tmp_path):
    def initialize():
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    code, printed = call("train", "--distributed", SMOKE, f"--workdir={tmp_path}")
    assert code == 2, printed
    assert "--distributed: there is no job that JAX could join" in printed
    assert "coordinator_address should be defined" in printed


def test_processes_that_could_not_stop_together(call, tmp_path):
    jax.config.update("jax_enable_preemption_service", False)
    try:
        code, printed = call("train", "--distributed", SMOKE, f"--workdir={tmp_path}")
    finally:
        jax.config.update("jax_enable_preemption_service", True)
    assert code == 2, printed
    assert "JAX_ENABLE_PREEMPTION_SERVICE=False does not go with" in printed


def test_a_checkpoint_of_another_model(call, trained):
    flags = ("--config.model.code_dim=4", "--config.num_steps=40")
    code, printed = call("train", SMOKE, *flags, f"--workdir={trained}")
    assert code == 2, printed
    assert "config.model.code_dim: checkpoint 8, now 4" in printed
    assert "num_steps" not in printed


def test_a_damaged_checkpoint(call, trained, tmp_path):
    workdir = shutil.copytree(trained, tmp_path / "run")
    (workdir / "checkpoints" / "20" / "state" / "manifest.ocdbt").unlink()
    code, printed = call("evaluate", f"--workdir={workdir}")
    assert code == 2, printed
    assert f"{workdir}/checkpoints/20 is damaged" in printed
    assert "That of step 10 is whole" in printed
    assert "Traceback" not in printed


def test_a_workdir_without_checkpoint(call, tmp_path):
    code, printed = call("evaluate", f"--workdir={tmp_path}")
    assert code == 2, printed
    assert f"{tmp_path} holds no checkpoint" in printed


def test_codes_out_of_range(trained):
    tokenizer = Tokenizer.load(trained)
    codes = np.full((1, 2, 2), 64, np.int32)
    with pytest.raises(InputError, match=r"over \[64, 64\] but .* codes 0 to 63"):
        tokenizer.decode(codes)


def test_training_that_diverges_names_the_metric_and_keeps_what_was_good(
    call, tmp_path
):
    code, printed = call(
        "train",
        SMOKE,
        f"--workdir={tmp_path}",
        "--config.optim.name=sgd",
        "--config.optim.learning_rate=1e3",
        "--config.checkpoint.every=1",
        "--config.log_every=1",
    )
    assert code == 3, printed
    assert "not finite at step" in printed
    assert "train/loss=" in printed
    saved = [int(p.name) for p in tmp_path.glob("checkpoints/[0-9]*")]
    step = int(printed.split("not finite at step ")[1].split(":")[0])
    assert saved
    assert max(saved) < step
