import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest

from vq_jax.data.sources import open_source
from vq_jax.data.sources.tfds import TfdsSource, prepare_command
from vq_jax.errors import InputError
from vq_jax.testing.tiny_tfds import write_tiny_dataset

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 6, 7, 3), dtype=np.uint8)

# A TensorFlow that can be found but not imported. None in sys.modules would not do:
# tensorflow-datasets asks whether the name is in there, and reads it as "loaded".
READ_WITHOUT_TENSORFLOW = """
import importlib.machinery, sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        raise AssertionError("TensorFlow was imported")
    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Forbidden())
from vq_jax.data.sources import open_source
source = open_source("tfds:tiny", "train", image_size=6, data_dir=sys.argv[1])
assert source[3]["image"].shape == (6, 7, 3)
assert "tensorflow" not in sys.modules
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("tfds")
    return write_tiny_dataset(data_dir, IMAGES)


@pytest.mark.parametrize("by", ["name", "folder"])
def test_prepared_images_come_back(prepared, by):
    name = "tiny" if by == "name" else str(prepared)
    data_dir = str(prepared.parent.parent) if by == "name" else ""
    source = open_source(f"tfds:{name}", "train", image_size=6, data_dir=data_dir)
    assert len(source) == len(IMAGES)
    for i, image in enumerate(IMAGES):
        np.testing.assert_array_equal(source[i]["image"], image)
        assert source[i]["label"] == i % 2
    assert source.classes == ["cold", "warm"]
    assert "10 images of tiny/1.0.0" in source.description


def test_the_folder_of_data_sets_begins_at_home(prepared, monkeypatch):
    monkeypatch.setenv("HOME", str(prepared.parents[2]))
    data_dir = f"~/{prepared.parents[1].name}"
    source = open_source("tfds:tiny", "train", image_size=6, data_dir=data_dir)
    assert len(source) == len(IMAGES)


def test_slices_channels_and_pickling(prepared):
    source = TfdsSource(str(prepared), "train[3:5]", channels=1)
    copy = pickle.loads(pickle.dumps(source))
    assert len(copy) == 2
    assert copy[0]["image"].shape == (6, 7, 1)
    assert copy[0]["label"] == 1


@pytest.mark.parametrize("kept", [0.5, None])
def test_a_damaged_file_is_an_error_of_its_images(tmp_path, kept):
    """So that `on_error="skip"` leaves them out."""
    folder = write_tiny_dataset(tmp_path, IMAGES)
    (file,) = folder.glob("*.array_record*")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data[: int(kept * len(data))] if kept else data)
    source = TfdsSource(str(folder), "train")
    with pytest.raises(InputError, match=r"train\[3\] can't be read \("):
        source[3]


def test_reading_does_not_import_tensorflow(prepared):
    command = [sys.executable, "-c", READ_WITHOUT_TENSORFLOW]
    done = subprocess.run(
        [*command, str(prepared.parent.parent)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"name": "ti', "[" * 10_000, '{"pythonClassName": "os.path.join"}'],
    ids=["empty", "no object", "cut", "deep", "another class"],
)
def test_a_damaged_description_is_an_error(prepared, tmp_path, file, content):
    folder = shutil.copytree(prepared, tmp_path / "tiny" / "1.0.0")
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=r"is damaged \(.*\); prepare it again"):
        TfdsSource(str(folder), "train")


def test_not_prepared_gives_the_command(tmp_path):
    with pytest.raises(InputError, match="is not prepared in") as caught:
        TfdsSource("cifar10", "train", data_dir=str(tmp_path))
    assert prepare_command("cifar10", str(tmp_path)) in str(caught.value)
    assert "file_format='array_record'" in prepare_command("cifar10")


def test_wrong_names_are_errors(prepared, tmp_path):
    for name, split, message in [
        ("cifar100x", "train", r"tfds:cifar100x.*similar names: \['cifar100'"),
        ("cifar10/nope", "train", r"BuilderConfig nope not found"),
        (str(tmp_path), "train", r"the folder has no dataset_info\.json"),
        (str(prepared), "valid", r"no split 'valid'; choose from \['train'\]"),
        (str(prepared), "train[x]", r"no split 'train\[x\]'"),
    ]:
        with pytest.raises(InputError, match=message):
            TfdsSource(name, split, data_dir=str(tmp_path))
