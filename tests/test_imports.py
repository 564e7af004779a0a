"""What importing and training load, seen from a fresh process."""

import os
import subprocess
import sys

import pytest

from vq_jax.testing import tiny
from vq_jax.testing.tiny_tfds import write_tiny_dataset

# A TensorFlow and a torch that can be found, but are an error to import.
FORBID = """
import importlib.machinery, sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "torch"):
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        raise AssertionError(f"{spec.name} was imported")
    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Forbidden())
"""


def _python(*arguments):
    one_device = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=one_device,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_importing_the_package_does_not_import_jax():
    printed = _python("-X", "importtime", "-c", "import vq_jax")
    modules = {line.split("|")[-1].strip() for line in printed.splitlines()}
    assert "vq_jax.errors" in modules
    assert not {name for name in modules if name.split(".")[0] in ("jax", "flax")}


@pytest.mark.parametrize("source", ["photos", "tfds:tiny"])
def test_training_imports_neither_tensorflow_nor_torch(source, tmp_path):
    write_tiny_dataset(tmp_path / "data", tiny.images(12, 32))
    flags = [
        "--config=configs/quickstart.py:smoke",
        f"--workdir={tmp_path / 'run'}",
        f"--config.data.source={source}",
    ]
    if source != "photos":
        flags.append(f"--config.data.data_dir={tmp_path / 'data'}")
        flags.append("--config.data.eval_split=train")
    code = (
        f"{FORBID}\nfrom vq_jax.cli.train import main\n"
        f"try:\n    main(['train', *{flags!r}])\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "assert not {'tensorflow', 'torch'} & set(sys.modules)\n"
    )
    assert "Finished 20 steps" in _python("-c", code)
