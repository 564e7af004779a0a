"""A checkpoint that is not what was written is an error that names the way on."""

import errno
import shlex
import shutil
import subprocess
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from etils import epath

from configs import quickstart
from vq_jax import sharding
from vq_jax.data import pipeline
from vq_jax.errors import InputError
from vq_jax.workdirs import checkpoint, digests
from vq_jax.workdirs.checkpoint import Checkpointer

CONFIG = quickstart.get_config("smoke")

# A read that failed may leave others behind, which end after Orbax's event loop has.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. None:pytest.PytestUnraisableExceptionWarning"
)


def _state(step):
    rows = np.arange(60, dtype=np.float32).reshape(10, 6) / step
    return {"step": np.int32(step), "params": {"rows": rows}}


def _batches():
    return pipeline.train_batches(CONFIG.data, seed=0, batch_size=8)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("saved")
    checkpointer, batches = Checkpointer(workdir, CONFIG, ""), _batches()
    for step in (1, 2):
        checkpointer.save(step, _state(step), batches)
    checkpointer.close()
    return workdir


@pytest.fixture
def workdir(saved, tmp_path):
    """A run of its own, whose latest checkpoints are of steps 1 and 2."""
    return shutil.copytree(saved, tmp_path / "a run")


def _restore(workdir):
    mesh = sharding.make_mesh(data=-1, fsdp=1)
    shapes = sharding.with_shardings(jax.eval_shape(lambda: _state(1)), mesh)
    checkpointer = Checkpointer(workdir, CONFIG, "")
    try:
        return checkpointer.restore(shapes, _batches())
    finally:
        checkpointer.close()


def _files(workdir, step):
    """The files of a checkpoint that its items consist of."""
    folder = workdir / "checkpoints" / str(step)
    return [
        folder / item.name / line.split("  ")[1]
        for item in folder.iterdir()
        if item.is_dir()
        for line in (item / digests.FILE).read_text().splitlines()
    ]


def _flip_a_bit(content):
    middle = len(content) // 2
    return b"%b%c%b" % (
        content[:middle],
        content[middle] ^ 1,
        content[middle + 1 :],
    )


DAMAGE = {
    "one bit": lambda file: file.write_bytes(_flip_a_bit(file.read_bytes())),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "empty": lambda file: file.write_bytes(b""),
    "missing": lambda file: file.unlink(),
}


def test_a_whole_checkpoint_is_restored(workdir):
    jax.tree.map(np.testing.assert_array_equal, _restore(workdir), _state(2))


def test_the_digests_are_those_of_sha256sum(workdir):
    for folder in (workdir / "checkpoints" / "2").iterdir():
        if folder.is_dir():
            command = ["sha256sum", "--check", "--quiet", digests.FILE]
            assert subprocess.run(command, cwd=folder).returncode == 0


@pytest.mark.parametrize("way", DAMAGE)
def test_whatever_file_is_damaged_is_named(way, workdir):
    folder = workdir / "checkpoints" / "2"
    for file in _files(workdir, 2):
        content = file.read_bytes()
        DAMAGE[way](file)
        wrong = [name for item in checkpoint.ITEMS for name in _damaged(folder, item)]
        assert wrong == [str(file.relative_to(folder))]
        file.write_bytes(content)


def _damaged(folder, item):
    return [f"{item}/{file}" for file in digests.damaged(epath.Path(folder / item))]


@pytest.mark.parametrize("way", DAMAGE)
def test_damaged_arrays_are_an_error_with_the_way_on(way, workdir):
    latest = workdir / "checkpoints" / "2"
    arrays = max((latest / "state" / "d").iterdir(), key=lambda f: f.stat().st_size)
    DAMAGE[way](arrays)
    with pytest.raises(InputError, match=r"2 is damaged: .* state/d/") as error:
        _restore(workdir)
    message = str(error.value)
    assert str(latest) in message
    assert "That of step 1 is whole" in message
    assert subprocess.run(shlex.split(message.split(": ")[-1])).returncode == 0
    jax.tree.map(np.testing.assert_array_equal, _restore(workdir), _state(1))


@pytest.mark.parametrize("item", ["state", "data", "config"])
@pytest.mark.parametrize("way", ["one bit", "folder missing"])
def test_damage_of_any_item_is_found_before_a_run_goes_on(way, item, workdir):
    folder = workdir / "checkpoints" / "2" / item
    if way == "folder missing":
        shutil.rmtree(folder)
    else:
        DAMAGE[way](next(f for f in _files(workdir, 2) if f.is_relative_to(folder)))
    with pytest.raises(InputError, match=f"2 is damaged: .* {item}"):
        _restore(workdir)


def test_an_older_checkpoint_that_is_damaged_too_is_not_advised(workdir):
    for step in (1, 2):
        (workdir / "checkpoints" / str(step) / "state" / "_METADATA").unlink()
    with pytest.raises(InputError, match="No older one there is whole"):
        _restore(workdir)


def test_reading_the_configuration_reports_damage_too(workdir):
    DAMAGE["one bit"](workdir / "checkpoints" / "2" / "config" / "metadata")
    with pytest.raises(InputError, match="That of step 1 is whole"):
        checkpoint.load_config(workdir)


def test_empty_digests_are_damage(workdir):
    DAMAGE["empty"](workdir / "checkpoints" / "2" / "state" / digests.FILE)
    with pytest.raises(InputError, match=r"written: state/SHA256SUMS\."):
        _restore(workdir)


@pytest.mark.parametrize(
    "file", ["state/_METADATA", "state/manifest.ocdbt", "config/metadata"]
)
@pytest.mark.parametrize("way", ["truncated", "missing"])
def test_without_digests_what_cannot_be_read_is_an_error_with_the_way_on(
    file, way, workdir
):
    for sums in (workdir / "checkpoints").rglob(digests.FILE):
        sums.unlink()
    DAMAGE[way](workdir / "checkpoints" / "2" / file)
    with pytest.raises(InputError, match=r"2 can't be read .* step 1 is whole"):
        _restore(workdir)


def test_a_checkpoint_that_vanishes_is_not_called_damaged(workdir):
    latest = checkpoint.load_config(workdir)[1]
    shutil.rmtree(workdir / "checkpoints" / str(latest))
    (workdir / "checkpoints" / str(latest)).with_suffix(".part").mkdir()
    with pytest.raises(InputError, match="was removed while it was read"):
        checkpoint.load_model_state(workdir, latest, _state(1))


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=3))
    checkpointer = Checkpointer(tmp_path, CONFIG, "")
    with pytest.raises(InputError, match=r"is on a disk with 0\.0 MiB left"):
        checkpointer.save(1, _state(1), _batches())
    checkpointer.close()
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("RESOURCE_EXHAUSTED: Failed to write [os_error_code='28']"),
    ],
)
def test_a_disk_that_fills_up_while_saving_is_an_error_and_no_checkpoint(
    error, workdir, monkeypatch
):
    def write(folder):
        raise error

    checkpointer = Checkpointer(workdir, CONFIG, "")
    with monkeypatch.context() as patched:
        patched.setattr(digests, "write", write)
        checkpointer.save(3, _state(3), _batches())
        with pytest.raises(InputError, match=r"to \(No space left on device\); mend"):
            checkpointer.wait()
    checkpointer.close()
    jax.tree.map(np.testing.assert_array_equal, _restore(workdir), _state(2))
