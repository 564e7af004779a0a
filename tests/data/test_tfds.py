import io
import json
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

from vq_jax.data.sources import open_source
from vq_jax.data.sources.tfds import TfdsSource, prepare_command
from vq_jax.errors import InputError

CLASSES = ["cold", "warm"]
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


def write_tiny_dataset(data_dir: pathlib.Path, images: np.ndarray) -> pathlib.Path:
    """`tiny/1.0.0` with a split "train", by hand; the label of image i is i % 2.

    Writing with TFDS itself needs TensorFlow: `prepare_tiny_tfds.py`.
    """
    folder = data_dir / "tiny" / "1.0.0"
    folder.mkdir(parents=True)
    records = [example(image, i % 2) for i, image in enumerate(images)]
    writer = ArrayRecordWriter(
        str(folder / "tiny-train.array_record-00000-of-00001"), "group_size:1"
    )
    for record in records:
        writer.write(record)
    writer.close()
    split = {
        "name": "train",
        "shardLengths": [str(len(records))],
        "numBytes": str(sum(map(len, records))),
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    }
    info = {"name": "tiny", "version": "1.0.0", "fileFormat": "array_record"}
    (folder / "dataset_info.json").write_text(json.dumps({**info, "splits": [split]}))
    (folder / "features.json").write_text(json.dumps(features(images.shape[1:])))
    (folder / "label.labels.txt").write_text("\n".join(CLASSES))
    return folder


def example(image: np.ndarray, label: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="png")
    message = tf_example_pb2.Example()
    message.features.feature["image"].bytes_list.value.append(buffer.getvalue())
    message.features.feature["label"].int64_list.value.append(label)
    return message.SerializeToString()


def features(shape: tuple[int, ...]) -> dict:
    package = "tensorflow_datasets.core.features"
    image = {
        "pythonClassName": f"{package}.image_feature.Image",
        "image": {
            "shape": {"dimensions": [str(n) for n in shape]},
            "dtype": "uint8",
            "encodingFormat": "png",
        },
    }
    label = {
        "pythonClassName": f"{package}.class_label_feature.ClassLabel",
        "classLabel": {"numClasses": str(len(CLASSES))},
    }
    return {
        "pythonClassName": f"{package}.features_dict.FeaturesDict",
        "featuresDict": {"features": {"image": image, "label": label}},
    }


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
    assert "10 images of tiny/1.0.0" in source.description


def test_slices_channels_and_pickling(prepared):
    source = TfdsSource(str(prepared), "train[3:5]", channels=1)
    copy = pickle.loads(pickle.dumps(source))
    assert len(copy) == 2
    assert copy[0]["image"].shape == (6, 7, 1)
    assert copy[0]["label"] == 1


def test_reading_does_not_import_tensorflow(prepared):
    command = [sys.executable, "-c", READ_WITHOUT_TENSORFLOW]
    done = subprocess.run(
        [*command, str(prepared.parent.parent)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_not_prepared_gives_the_command(tmp_path):
    with pytest.raises(InputError, match="is not prepared in") as caught:
        TfdsSource("cifar10", "train", data_dir=str(tmp_path))
    assert prepare_command("cifar10", str(tmp_path)) in str(caught.value)
    assert "file_format='array_record'" in prepare_command("cifar10")


def test_wrong_names_are_told(prepared, tmp_path):
    for name, split, message in [
        ("cifar100x", "train", r"tfds:cifar100x.*similar names: \['cifar100'"),
        ("cifar10/nope", "train", r"BuilderConfig nope not found"),
        (str(tmp_path), "train", r"the folder has no dataset_info\.json"),
        (str(prepared), "valid", r"no split 'valid'; choose from \['train'\]"),
        (str(prepared), "train[x]", r"no split 'train\[x\]'"),
    ]:
        with pytest.raises(InputError, match=message):
            TfdsSource(name, split, data_dir=str(tmp_path))
