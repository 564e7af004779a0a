"""Writes a tiny TFDS data set without TensorFlow, which TFDS itself would need."""

import io
import json
import pathlib

import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

CLASSES = ["cold", "warm"]


def write_tiny_dataset(data_dir: pathlib.Path, images: np.ndarray) -> pathlib.Path:
    """Writes the data set `tiny/1.0.0` and returns its folder.

    Its one split is "train", and the label of image i is i % 2.
    """
    folder = data_dir / "tiny" / "1.0.0"
    folder.mkdir(parents=True)
    records = [_example(image, i % 2) for i, image in enumerate(images)]
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
    (folder / "features.json").write_text(json.dumps(_features(images.shape[1:])))
    (folder / "label.labels.txt").write_text("\n".join(CLASSES))
    return folder


def _example(image: np.ndarray, label: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="png")
    message = tf_example_pb2.Example()
    message.features.feature["image"].bytes_list.value.append(buffer.getvalue())
    message.features.feature["label"].int64_list.value.append(label)
    return message.SerializeToString()


def _features(shape: tuple[int, ...]) -> dict:
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
